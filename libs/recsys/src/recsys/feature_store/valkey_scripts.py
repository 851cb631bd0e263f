"""The writes of the Valkey feature store as Lua: each runs whole or not at all, and is on disk when it has answered.

Under which key what stands (K is a subject's key, `codec.key_of`):

    sequence:stream, sequence:items   counters
    id:EVENT_ID                       the event's sequence, for EVENT_ID_DAYS
    recent:K                          sorted set: "SEQUENCE|EVENT" by time, capped
    had:K                             set of "EVENT_TYPE\\0ITEM_ID"
    session:ID, sessions:USER_ID      whose a merged session is by now; a user's sessions
    pasts:USER_ID                     set of sessions whose entries from before the merge are the user's
    repeats:K                         hash item → purchases beyond the one in had:K
    active                            sorted set of sessions by their last event
    trending, landmark                sorted set of items by −weight, as of the landmark
    items, items:order                hash of records; sorted set of ids by sequence
    stream                            stream of SEQUENCE-0: k kind, s subject, e entry
    erasures, erasures:order          hash SEQUENCE → "USER_HASH|ERASURE"; sorted set of sequences
    erasures:USER_HASH                set of the user's sequences
    exposure:REQUEST_ID, exposures:K  hash s subject, x experiment, a arm, c clicked; set of ids; EXPOSURE_DAYS
    arms:EXPERIMENT                   hash "ARM|COUNT" → number
    units:K                           hash EXPERIMENT → "ARM|first_ms|clicked|converted|revenue"
    experiments                       hash EXPERIMENT → state
"""

from typing import Final

# Unit of an experiment as text, and what it adds to the arm's counts (sign 1) or takes away (sign -1).
_UNITS: Final = """
local function parse_unit(text)
  local tail = {string.match(text, "^(.*)|(%-?%d+)|(%d)|(%d)|([^|]+)$")}
  return {arm = tail[1], first_ms = tail[2], clicked = tonumber(tail[3]), converted = tonumber(tail[4]),
          revenue = tonumber(tail[5])}
end
local function unit_text(unit)
  local revenue = string.format("%.17g", unit.revenue)
  return table.concat({unit.arm, unit.first_ms, unit.clicked, unit.converted, revenue}, "|")
end
local function count_unit(experiment, unit, sign)
  local arms = "arms:" .. experiment
  redis.call("HINCRBY", arms, unit.arm .. "|units", sign)
  redis.call("HINCRBY", arms, unit.arm .. "|clicked_units", sign * unit.clicked)
  redis.call("HINCRBY", arms, unit.arm .. "|converted_units", sign * unit.converted)
  local revenue = string.format("%.17g", sign * unit.revenue)
  redis.call("HINCRBYFLOAT", arms, unit.arm .. "|revenue", revenue)
  redis.call("HINCRBYFLOAT", arms, unit.arm .. "|revenue_squares", string.format("%.17g", sign * unit.revenue ^ 2))
end
local function change_unit(key, experiment, change)
  local text = redis.call("HGET", "units:" .. key, experiment)
  if not text then return end
  local unit = parse_unit(text)
  count_unit(experiment, unit, -1)
  change(unit)
  count_unit(experiment, unit, 1)
  redis.call("HSET", "units:" .. key, experiment, unit_text(unit))
end
local function enter(kind, subject, entry)
  local sequence = redis.call("INCR", "sequence:stream")
  redis.call("XADD", "stream", sequence .. "-0", "k", kind, "s", subject, "e", entry)
  return sequence
end
"""

# ARGV: id seconds, most recent, most exponent, least weight, half-life in seconds, most counters, now, milliseconds
# that a session is kept, most sessions forgotten, then 9 an event: id, subject key, item, type, unix_ms, weight, value
# or "", request id or "", text. Returns {sequence, is duplicate} pairs.
APPEND: Final = (
    _UNITS
    + """
local half_life_ms, now_ms = tonumber(ARGV[5]) * 1000, tonumber(ARGV[7])

local function landmark_for(unix_ms)
  local landmark = tonumber(redis.call("GET", "landmark"))
  if landmark and unix_ms - landmark <= tonumber(ARGV[3]) * half_life_ms then return landmark end
  if landmark then
    local shrink = 2 ^ math.max(-1000, (landmark - unix_ms) / half_life_ms)
    redis.call("ZUNIONSTORE", "trending", 1, "trending", "WEIGHTS", string.format("%.17g", shrink))
  end
  redis.call("SET", "landmark", string.format("%d", unix_ms))
  return unix_ms
end

local counted, newest_ms = {}, now_ms  -- {item, unix_ms, weight}
local function count()
  if #counted == 0 then return end
  local landmark, weights = landmark_for(newest_ms), {}
  for _, one in ipairs(counted) do
    weights[one[1]] = (weights[one[1]] or 0) + one[3] * 2 ^ ((one[2] - landmark) / half_life_ms)
  end
  for item, weight in pairs(weights) do redis.call("ZINCRBY", "trending", string.format("%.17g", -weight), item) end
  local least = tonumber(ARGV[4]) * 2 ^ math.min(1000, (now_ms - landmark) / half_life_ms)
  redis.call("ZREMRANGEBYSCORE", "trending", string.format("(-%.17g", least), "+inf")
  redis.call("ZREMRANGEBYRANK", "trending", ARGV[6], -1)
end

local function forget_old_sessions()
  local before_ms = string.format("(%d", now_ms - tonumber(ARGV[8]))
  local old = redis.call("ZRANGE", "active", "-inf", before_ms, "BYSCORE", "LIMIT", 0, ARGV[9])
  for _, session in ipairs(old) do
    redis.call("UNLINK", "recent:s:" .. session, "had:s:" .. session, "repeats:s:" .. session)
    local user = redis.call("GETDEL", "session:" .. session)
    if user then redis.call("SREM", "sessions:" .. user, session) end
    redis.call("ZREM", "active", session)
  end
end

local function note_had(key, event_type, item)
  if event_type == "remove" then
    local left = redis.call("HINCRBY", "repeats:" .. key, item, -1)
    if left <= 0 then redis.call("HDEL", "repeats:" .. key, item) end
    if left < 0 then redis.call("SREM", "had:" .. key, "purchase\\0" .. item) end
  elseif redis.call("SADD", "had:" .. key, event_type .. "\\0" .. item) == 0 and event_type == "purchase" then
    redis.call("HINCRBY", "repeats:" .. key, item, 1)
  end
end

local function click(request_id)
  local exposure = "exposure:" .. request_id
  if redis.call("HGET", exposure, "c") ~= "0" then return end
  redis.call("HSET", exposure, "c", "1")
  local subject, experiment, arm = unpack(redis.call("HMGET", exposure, "s", "x", "a"))
  if experiment == "" then return end
  redis.call("HINCRBY", "arms:" .. experiment, arm .. "|clicked_exposures", 1)
  change_unit(subject, experiment, function(unit) unit.clicked = 1 end)
end

local function convert(key, unix_ms, value)
  for _, experiment in ipairs(redis.call("HKEYS", "units:" .. key)) do
    change_unit(key, experiment, function(unit)
      if tonumber(unit.first_ms) <= unix_ms then
        unit.converted = 1
        unit.revenue = unit.revenue + value
      end
    end)
  end
end

forget_old_sessions()
local outcomes, touched = {}, {}
for at = 10, #ARGV, 9 do
  local id, key, item, event_type, unix_ms, weight, value, request_id, text = unpack(ARGV, at, at + 8)
  local known = redis.call("GET", "id:" .. id)
  if known then
    outcomes[#outcomes + 1] = {tonumber(known), 1}
  else
    if string.sub(key, 1, 2) == "s:" then
      redis.call("ZADD", "active", now_ms, string.sub(key, 3))
      local user = redis.call("GET", "session:" .. string.sub(key, 3))
      if user then key = "u:" .. user end
    end
    local sequence = enter("event", key, text)
    redis.call("SET", "id:" .. id, sequence, "EX", ARGV[1])
    redis.call("ZADD", "recent:" .. key, unix_ms, string.format("%016d|", sequence) .. text)
    touched[key] = true
    note_had(key, event_type, item)
    unix_ms, weight = tonumber(unix_ms), tonumber(weight)
    if weight ~= 0 then
      counted[#counted + 1] = {item, unix_ms, weight}
      newest_ms = math.max(newest_ms, unix_ms)
    end
    if request_id ~= "" then click(request_id) end
    if event_type == "purchase" then convert(key, unix_ms, tonumber(value) or 0) end
    outcomes[#outcomes + 1] = {sequence, 0}
  end
end
for key, _ in pairs(touched) do redis.call("ZREMRANGEBYRANK", "recent:" .. key, 0, -(tonumber(ARGV[2]) + 1)) end
count()
return outcomes
"""
)

# ARGV: subject key. Returns {key, recent with nothing but members, had}.
PROFILE: Final = """
local key = ARGV[1]
if string.sub(key, 1, 2) == "s:" then
  local user = redis.call("GET", "session:" .. string.sub(key, 3))
  if user then key = "u:" .. user end
end
return {key, redis.call("ZRANGE", "recent:" .. key, 0, -1), redis.call("SMEMBERS", "had:" .. key)}
"""

# ARGV: session id, user id, most recent, now. Returns the number of recent events moved.
MERGE: Final = """
local session, user = "s:" .. ARGV[1], "u:" .. ARGV[2]
local before = redis.call("GET", "session:" .. ARGV[1])
if before and before ~= ARGV[2] then redis.call("SREM", "sessions:" .. before, ARGV[1]) end
if not before then redis.call("SADD", "pasts:" .. ARGV[2], ARGV[1]) end
redis.call("SET", "session:" .. ARGV[1], ARGV[2])
redis.call("SADD", "sessions:" .. ARGV[2], ARGV[1])
redis.call("ZADD", "active", ARGV[4], ARGV[1])
local moved = redis.call("ZCARD", "recent:" .. session)
redis.call("ZUNIONSTORE", "recent:" .. user, 2, "recent:" .. user, "recent:" .. session)
redis.call("ZREMRANGEBYRANK", "recent:" .. user, 0, -(tonumber(ARGV[3]) + 1))
for _, member in ipairs(redis.call("SINTER", "had:" .. user, "had:" .. session)) do
  local item = string.match(member, "^purchase%z(.*)$")
  if item then redis.call("HINCRBY", "repeats:" .. user, item, 1) end
end
local repeats = redis.call("HGETALL", "repeats:" .. session)
for at = 1, #repeats, 2 do redis.call("HINCRBY", "repeats:" .. user, repeats[at], repeats[at + 1]) end
redis.call("SUNIONSTORE", "had:" .. user, "had:" .. user, "had:" .. session)
redis.call("DEL", "recent:" .. session, "had:" .. session, "repeats:" .. session)
local units = redis.call("HGETALL", "units:" .. session)
for at = 1, #units, 2 do
  if redis.call("HSETNX", "units:" .. user, units[at], units[at + 1]) == 1 then
    redis.call("HDEL", "units:" .. session, units[at])
  end
end
for _, request_id in ipairs(redis.call("SMEMBERS", "exposures:" .. session)) do
  if redis.call("EXISTS", "exposure:" .. request_id) == 1 then
    redis.call("HSET", "exposure:" .. request_id, "s", user)
    redis.call("SADD", "exposures:" .. user, request_id)
  end
end
local left = redis.call("TTL", "exposures:" .. session)
if left > 0 then redis.call("EXPIRE", "exposures:" .. user, left) end
redis.call("DEL", "exposures:" .. session)
return moved
"""

# ARGV: id of the entry before the first, most entries, then keys of subjects. Removes their entries of this part of the
# stream. Returns {id of the last entry or "" at the end of the stream, entries removed}.
ERASE_PART: Final = """
local keys, removed = {}, 0
for at = 3, #ARGV do keys[ARGV[at]] = true end
local entries = redis.call("XRANGE", "stream", "(" .. ARGV[1], "+", "COUNT", ARGV[2])
for _, entry in ipairs(entries) do
  if keys[entry[2][4]] then removed = removed + redis.call("XDEL", "stream", entry[1]) end
end
return {#entries < tonumber(ARGV[2]) and "" or entries[#entries][1], removed}
"""

# ARGV: user id, user hash, text of the erasure with REMOVED where the count of entries goes, id of the last entry of
# the stream that ERASE_PART did, entries that it removed, then the user's pasts as the caller knows them. Returns
# {sequence, entries removed in all}, or nothing where there are others by now.
REMOVED: Final = -987654321
ERASE: Final = (
    _UNITS
    + """
local sessions, pasts = redis.call("SMEMBERS", "sessions:" .. ARGV[1]), redis.call("SMEMBERS", "pasts:" .. ARGV[1])
local keys, removed = {["u:" .. ARGV[1]] = true}, tonumber(ARGV[5]) + #sessions + #pasts
for at = 6, #ARGV do keys["s:" .. ARGV[at]] = true end
for _, session in ipairs(pasts) do
  if not keys["s:" .. session] then return {} end
end
for _, session in ipairs(sessions) do redis.call("DEL", "session:" .. session) end
redis.call("DEL", "sessions:" .. ARGV[1], "pasts:" .. ARGV[1])
for key, _ in pairs(keys) do
  removed = removed + redis.call("ZCARD", "recent:" .. key) + redis.call("SCARD", "had:" .. key)
  local units = redis.call("HGETALL", "units:" .. key)
  for at = 1, #units, 2 do count_unit(units[at], parse_unit(units[at + 1]), -1) end
  removed = removed + #units / 2
  for _, request_id in ipairs(redis.call("SMEMBERS", "exposures:" .. key)) do
    removed = removed + redis.call("DEL", "exposure:" .. request_id)
  end
  redis.call("DEL", "recent:" .. key, "had:" .. key, "repeats:" .. key, "units:" .. key, "exposures:" .. key)
end
for _, entry in ipairs(redis.call("XRANGE", "stream", "(" .. ARGV[4], "+")) do
  if keys[entry[2][4]] then removed = removed + redis.call("XDEL", "stream", entry[1]) end
end
local text = string.gsub(ARGV[3], "%-987654321", string.format("%d", removed), 1)
local sequence = enter("erasure", "", text)
redis.call("HSET", "erasures", sequence, ARGV[2] .. "|" .. text)
redis.call("ZADD", "erasures:order", sequence, sequence)
redis.call("SADD", "erasures:" .. ARGV[2], sequence)
return {sequence, removed}
"""
)

# ARGV: after sequence. Returns {sequence, text} pairs.
ERASURES: Final = """
local sequences = redis.call("ZRANGE", "erasures:order", "(" .. ARGV[1], "+inf", "BYSCORE")
local found = {}
for at, sequence in ipairs(sequences) do found[at] = {sequence, redis.call("HGET", "erasures", sequence)} end
return found
"""

# ARGV: exposure seconds, then 8 an exposure: request id, subject key or "", experiment or "", arm or "", is empty,
# unix_ms, latency, text.
EXPOSE: Final = (
    _UNITS
    + """
for at = 2, #ARGV, 8 do
  local request_id, key, experiment, arm, is_empty, unix_ms, latency, text = unpack(ARGV, at, at + 7)
  local exposure = "exposure:" .. request_id
  if redis.call("EXISTS", exposure) == 0 then
    redis.call("HSET", exposure, "s", key, "x", experiment, "a", arm, "c", "0")
    redis.call("EXPIRE", exposure, ARGV[1])
    enter("exposure", key, text)
    if key ~= "" then
      redis.call("SADD", "exposures:" .. key, request_id)
      redis.call("EXPIRE", "exposures:" .. key, ARGV[1])
    end
    if experiment ~= "" then
      redis.call("HINCRBY", "arms:" .. experiment, arm .. "|exposures", 1)
      redis.call("HINCRBY", "arms:" .. experiment, arm .. "|empty_exposures", is_empty)
      redis.call("HINCRBYFLOAT", "arms:" .. experiment, arm .. "|latency_ms_sum", latency)
      if key ~= "" and redis.call("HEXISTS", "units:" .. key, experiment) == 0 then
        local unit = {arm = arm, first_ms = unix_ms, clicked = 0, converted = 0, revenue = 0}
        redis.call("HSET", "units:" .. key, experiment, unit_text(unit))
        count_unit(experiment, unit, 1)
      end
    end
  end
end
return redis.status_reply("OK")
"""
)

# ARGV: 3 a record: item id, what stands there (or ""), what shall stand there after its sequence. Returns the
# sequences, or nothing where somebody else changed one meanwhile.
CHANGE_ITEMS: Final = """
for at = 1, #ARGV, 3 do
  if (redis.call("HGET", "items", ARGV[at]) or "") ~= ARGV[at + 1] then return {} end
end
local sequences = {}
for at = 1, #ARGV, 3 do
  local sequence = redis.call("INCR", "sequence:items")
  redis.call("HSET", "items", ARGV[at], sequence .. "|" .. ARGV[at + 2])
  redis.call("ZADD", "items:order", sequence, ARGV[at])
  sequences[#sequences + 1] = sequence
end
return sequences
"""

# ARGV: after sequence, limit. Returns {id, record} pairs.
ITEM_CHANGES: Final = """
local ids = redis.call("ZRANGE", "items:order", "(" .. ARGV[1], "+inf", "BYSCORE", "LIMIT", 0, ARGV[2])
local found = {}
for at, id in ipairs(ids) do found[at] = {id, redis.call("HGET", "items", id)} end
return found
"""
