"""The writes of the Valkey feature store as Lua: each runs whole or not at all, and is on disk when it has answered.

Under which key what stands (K is a subject's key, `codec.key_of`):

    sequence:stream, sequence:items   counters
    id:EVENT_ID                       the event's sequence, for EVENT_ID_DAYS
    recent:K                          sorted set: "SEQUENCE|EVENT" by time, capped
    had:K, again:K                    set of "EVENT_TYPE\\0ITEM_ID"; hash item → pieces bought beyond the first
    times:sessions                    sorted set of session ids by their last event, list or merge
    times:marking                     how far keys were looked through for sessions without a time, see `mark_sessions`
    session:ID, sessions:USER_ID      whose a merged session is by now; a user's sessions
    pasts:USER_ID                     set of sessions whose entries from before the merge are the user's
    history:K                         "SEQUENCE|TEXT" of what a training knew, see `interface.PackedHistory`
    counters                          sorted set of items by −counter, see `codec.counter_of`
    items, items:order                hash of records; sorted set of ids by sequence
    stream                            stream of SEQUENCE-0: k kind, s subject, e entry
    erasures, erasures:order          hash SEQUENCE → "USER_HASH|ERASURE"; sorted set of sequences
    erasures:USER_HASH                set of the user's sequences
    erased                            hash K with the id hashed → unix_ms of the last erasure
    assignments:K                     hash EXPERIMENT → "unix_ms of the first exposure|ARM"
    experiments, documents, rules     hashes NAME → text, see `interface.TextKind`
"""

from typing import Final

COMMON: Final = """
local function enter(kind, subject, entry)
  local sequence = redis.call("INCR", "sequence:stream")
  redis.call("XADD", "stream", sequence .. "-0", "k", kind, "s", subject, "e", entry)
  return sequence
end

local function owner(key)
  local user = string.sub(key, 1, 2) == "s:" and redis.call("GET", "session:" .. string.sub(key, 3))
  return user and "u:" .. user or key
end

local function touch(key, unix_ms)
  if string.sub(key, 1, 2) == "s:" then redis.call("ZADD", "times:sessions", "GT", unix_ms, string.sub(key, 3)) end
end

local function forget(key)
  redis.call("DEL", "recent:" .. key, "had:" .. key, "again:" .. key, "assignments:" .. key, "history:" .. key)
end

local function cap(key, most) redis.call("ZREMRANGEBYRANK", "recent:" .. key, 0, -(tonumber(most) + 1)) end

local function assign(key, experiment, text)
  local known = redis.call("HGET", "assignments:" .. key, experiment)
  if not known or tonumber(string.match(text, "^%d+")) < tonumber(string.match(known, "^%d+")) then
    redis.call("HSET", "assignments:" .. key, experiment, text)
  end
end
"""
"""What several scripts do. The arm of the earlier exposure stays."""

COUNT: Final = """
local function count(item, counter)
  local known = redis.call("ZSCORE", "counters", item)
  if known then
    known = -tonumber(known)
    counter = math.max(known, counter) + math.log(1 + 2 ^ -math.abs(known - counter)) / math.log(2)
  end
  redis.call("ZADD", "counters", string.format("%.17g", -counter), item)
end
"""
"""Adds to the trending counters."""

NOTE_SEEN: Final = """
local function note_seen(key, event_type, item, pieces)
  if event_type == "remove" then
    local again = tonumber(redis.call("HGET", "again:" .. key, item) or 0) - pieces
    if again < 0 then redis.call("SREM", "had:" .. key, "purchase\\0" .. item) end
    redis.call("HDEL", "again:" .. key, item)
    if again > 0 then redis.call("HSET", "again:" .. key, item, again) end
  else
    local again = pieces - redis.call("SADD", "had:" .. key, event_type .. "\\0" .. item)
    if event_type == "purchase" and again > 0 then redis.call("HINCRBY", "again:" .. key, item, again) end
  end
end
"""
"""Keeps what a subject has seen."""

# ARGV: id seconds, most recent, most trending, now, since when a session must have been heard of (unix_ms both), then 8
# an event: id, subject key, item, type, unix_ms, counter or "", pieces, text. Returns {sequence, is duplicate} pairs.
APPEND: Final = (
    COMMON
    + COUNT
    + NOTE_SEEN
    + """
-- Once for each session that is quiet for long: what it has seen, and whose it is. At most so many in one script.
local function forget_quiet(before_ms)
  local quiet = redis.call("ZRANGE", "times:sessions", "-inf", "(" .. before_ms, "BYSCORE", "LIMIT", 0, 100)
  for _, session in ipairs(quiet) do
    local user = redis.call("GET", "session:" .. session)
    if user then redis.call("SREM", "sessions:" .. user, session) end
    redis.call("DEL", "session:" .. session)
    forget("s:" .. session)
    redis.call("ZREM", "times:sessions", session)
  end
end

-- An older version wrote sessions without their time: with each append a part of all keys is looked through for them,
-- once. Their time is that of the append.
local function mark_sessions(now_ms)
  local cursor = redis.call("GET", "times:marking") or "0"
  if cursor == "done" then return end
  local found = redis.call("SCAN", cursor, "COUNT", 100)
  for _, key in ipairs(found[2]) do
    local session = string.match(key, "^recent:s:(.*)$") or string.match(key, "^assignments:s:(.*)$")
                    or string.match(key, "^session:(.*)$")
    if session then redis.call("ZADD", "times:sessions", "NX", now_ms, session) end
  end
  redis.call("SET", "times:marking", found[1] == "0" and "done" or found[1])
end

local outcomes, touched = {}, {}
for at = 6, #ARGV, 8 do
  local id, key, item, event_type, unix_ms, counter, pieces, text = unpack(ARGV, at, at + 7)
  local known = redis.call("GET", "id:" .. id)
  if known then
    outcomes[#outcomes + 1] = {tonumber(known), 1}
  else
    touch(key, ARGV[4])
    key = owner(key)
    local sequence = enter("event", key, text)
    redis.call("SET", "id:" .. id, sequence, "EX", ARGV[1])
    redis.call("ZADD", "recent:" .. key, unix_ms, string.format("%016d|", sequence) .. text)
    touched[key] = true
    note_seen(key, event_type, item, pieces)
    if counter ~= "" then count(item, tonumber(counter)) end
    outcomes[#outcomes + 1] = {sequence, 0}
  end
end
for key, _ in pairs(touched) do cap(key, ARGV[2]) end
redis.call("ZREMRANGEBYRANK", "counters", ARGV[3], -1)
mark_sessions(ARGV[4])
forget_quiet(ARGV[5])
return outcomes
"""
)

# ARGV: subject key, place in the stream up to which a user's recent events are omitted, but for so many latest ones.
# Returns {key, JSON of recent ones, how many were omitted, JSON of seen, assignments, history or ""}: one long text is
# read in a fraction of the time of many short ones.
PROFILE: Final = (
    COMMON
    + """
local key = owner(ARGV[1])
local recent, kept = redis.call("ZREVRANGE", "recent:" .. key, 0, -1), {}
local after = string.format("%016d", string.sub(key, 1, 2) == "u:" and ARGV[2] or 0)
for place, member in ipairs(recent) do
  local sequence = string.sub(member, 1, 16)
  if place <= tonumber(ARGV[3]) or sequence > after then
    kept[#kept + 1] = string.format("[%d,", sequence) .. string.sub(member, 18) .. "]"
  end
end
local seen = {}
for _, member in ipairs(redis.call("SMEMBERS", "had:" .. key)) do
  local event_type, item = string.match(member, "^(%Z*)%z(.*)$")
  seen[event_type] = seen[event_type] or {}
  table.insert(seen[event_type], item)
end
return {key, "[" .. table.concat(kept, ",") .. "]", #recent - #kept, cjson.encode(seen),
        redis.call("HGETALL", "assignments:" .. key), redis.call("GET", "history:" .. key) or ""}
"""
)

# ARGV: 4 a history: subject key, hash of the user, place in the stream, text. Returns how many were kept.
HISTORIES: Final = """
local kept = 0
for at = 1, #ARGV, 4 do
  local key, hash, sequence, text = unpack(ARGV, at, at + 3)
  local newest = string.match(redis.call("GET", "history:" .. key) or "0|", "^%d+")
  for _, erased in ipairs(redis.call("SMEMBERS", "erasures:" .. hash)) do
    if tonumber(erased) > tonumber(newest) then newest = erased end
  end
  if tonumber(sequence) >= tonumber(newest) then
    redis.call("SET", "history:" .. key, sequence .. "|" .. text)
    kept = kept + 1
  end
end
return kept
"""

# ARGV: session id, user id, most recent, text of the merge, now. Returns the number of recent events moved.
MERGE: Final = (
    COMMON
    + """
local session, user = "s:" .. ARGV[1], "u:" .. ARGV[2]
local before = redis.call("GET", "session:" .. ARGV[1])
if before and before ~= ARGV[2] then redis.call("SREM", "sessions:" .. before, ARGV[1]) end
if not before then redis.call("SADD", "pasts:" .. ARGV[2], ARGV[1]) end
if before ~= ARGV[2] then enter("merge", user, ARGV[4]) end
redis.call("SET", "session:" .. ARGV[1], ARGV[2])
redis.call("SADD", "sessions:" .. ARGV[2], ARGV[1])
local moved = redis.call("ZCARD", "recent:" .. session)
redis.call("ZUNIONSTORE", "recent:" .. user, 2, "recent:" .. user, "recent:" .. session)
cap(user, ARGV[3])
for _, seen in ipairs(redis.call("SINTER", "had:" .. user, "had:" .. session)) do
  local item = string.match(seen, "^purchase%z(.*)$")
  if item then redis.call("HINCRBY", "again:" .. user, item, 1) end
end
local again = redis.call("HGETALL", "again:" .. session)
for at = 1, #again, 2 do redis.call("HINCRBY", "again:" .. user, again[at], again[at + 1]) end
redis.call("SUNIONSTORE", "had:" .. user, "had:" .. user, "had:" .. session)
touch(session, ARGV[5])
local arms = redis.call("HGETALL", "assignments:" .. session)
for at = 1, #arms, 2 do assign(user, arms[at], arms[at + 1]) end
forget(session)
return moved
"""
)

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

# ARGV: text of the erasure with REMOVED where the count of entries goes, now, id of the last entry of the stream that
# ERASE_PART did, entries that it removed, then id and hash of the user, and of each of its pasts as the caller knows
# them. Returns {sequence, entries removed in all}, or nothing where there are others by now.
REMOVED: Final = -987654321
ERASE: Final = (
    COMMON
    + """
local user, user_hash = ARGV[5], ARGV[6]
local sessions, pasts = redis.call("SMEMBERS", "sessions:" .. user), redis.call("SMEMBERS", "pasts:" .. user)
local hashed, removed = {["u:" .. user] = "u:" .. user_hash}, tonumber(ARGV[4]) + #sessions + #pasts
for at = 7, #ARGV, 2 do hashed["s:" .. ARGV[at]] = "s:" .. ARGV[at + 1] end
for _, session in ipairs(pasts) do
  if not hashed["s:" .. session] then return {} end
end
for _, session in ipairs(sessions) do redis.call("DEL", "session:" .. session) end
for _, session in ipairs(pasts) do redis.call("ZREM", "times:sessions", session) end
redis.call("DEL", "sessions:" .. user, "pasts:" .. user)
for key, erased in pairs(hashed) do
  removed = removed + redis.call("ZCARD", "recent:" .. key) + redis.call("SCARD", "had:" .. key)
  removed = removed + redis.call("HLEN", "assignments:" .. key) + redis.call("EXISTS", "history:" .. key)
  forget(key)
  redis.call("DEL", "units:" .. key, "exposures:" .. key)  -- of an older version, which counted here
  redis.call("HSET", "erased", erased, ARGV[2])
end
for _, entry in ipairs(redis.call("XRANGE", "stream", "(" .. ARGV[3], "+")) do
  if hashed[entry[2][4]] then removed = removed + redis.call("XDEL", "stream", entry[1]) end
end
local text = string.gsub(ARGV[1], "%-987654321", string.format("%d", removed), 1)
local sequence = enter("erasure", "", text)
redis.call("HSET", "erasures", sequence, user_hash .. "|" .. text)
redis.call("ZADD", "erasures:order", sequence, sequence)
redis.call("SADD", "erasures:" .. user_hash, sequence)
return {sequence, removed}
"""
)

# ARGV: how far clocks may be apart, then 6 an exposure: subject key or "", the same with its id hashed, experiment or
# "", arm or "", unix_ms, text. What was shown to somebody erased since is dropped.
EXPOSE: Final = (
    COMMON
    + """
for at = 2, #ARGV, 6 do
  local key, hashed, experiment, arm, unix_ms, text = unpack(ARGV, at, at + 5)
  local erased_ms = redis.call("HGET", "erased", hashed)
  if not erased_ms or tonumber(unix_ms) > erased_ms + ARGV[1] then
    key = owner(key)
    enter("exposure", key, text)
    touch(key, unix_ms)
    if experiment ~= "" and key ~= "" then assign(key, experiment, unix_ms .. "|" .. arm) end
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

# ARGV: items or erasures, after sequence, limit (-1: none). Returns {id or sequence, text} pairs in order.
AFTER: Final = """
local ids = redis.call("ZRANGE", ARGV[1] .. ":order", "(" .. ARGV[2], "+inf", "BYSCORE", "LIMIT", 0, ARGV[3])
local found = {}
for at, id in ipairs(ids) do found[at] = {id, redis.call("HGET", ARGV[1], id)} end
return found
"""
