"""The writes of the feature store on a Valkey Cluster: each script works on the keys of one slot, and so of one node.

What is of the whole shop, the stream above all, is in one slot, with the prefix `{shop}`; what is kept of a subject is
in the subject's own, with the prefix `{K}`, where K is its key. Behind the prefix names are those of `valkey_scripts`,
those of a subject without K, and beside them

    {shop}pending       hash SEQUENCE → K of events that are in the stream, and perhaps not with their subject yet
    {K}forward          K of the user whom a session was merged into
    {K}erased           place in the stream of an erasure, for a minute: what is on its way from before it is dropped
    {K}moving:NAME      what a merge is moving away; {K}moving is its TOKEN and the user's K
    {K}moved            TOKENs of what was moved here, for as long as event ids are kept
"""

from typing import Final

from recsys.feature_store import valkey_scripts
from recsys.feature_store.valkey_scripts import COMMON, COUNT, NOTE_SEEN

SHOP: Final = "{shop}"
"""The prefix of what is of the whole shop."""

_ON_SLOT: Final = """
local function on(command, key, ...)
  if command ~= "DEL" then return redis.call(command, KEYS[1] .. key, ...) end
  local keys = {KEYS[1] .. key}
  for at, other in ipairs({...}) do keys[at + 1] = KEYS[1] .. other end
  return redis.call(command, unpack(keys))
end
"""


def on_slot(script: str) -> str:
    """The script with the prefix of KEYS[1] before the first key of each command, and before every key of a DEL."""
    return _ON_SLOT + script.replace("redis.call(", "on(")


# Of the shop's slot. ARGV as of `valkey_scripts.APPEND`, without the second. Returns {outcomes, quiet sessions}, an
# outcome being {sequence, is duplicate, K of whom it is to be noted with, or "" where it was, what the stream has of it
# where it was known}.
LOG: Final = (
    COMMON
    + COUNT
    + """
local outcomes = {}
for at = 5, #ARGV, 8 do
  local id, key, item, event_type, unix_ms, counter, _, text = unpack(ARGV, at, at + 7)
  local known = redis.call("GET", "id:" .. id)
  if known then
    local pending = redis.call("HGET", "pending", known) or ""
    local entry = pending ~= "" and redis.call("XRANGE", "stream", known .. "-0", known .. "-0")[1]
    outcomes[#outcomes + 1] = {tonumber(known), 1, pending, entry and entry[2][6] or ""}
  else
    touch(key, ARGV[3])
    key = owner(key)
    local sequence = enter("event", key, text)
    redis.call("SET", "id:" .. id, sequence, "EX", ARGV[1])
    redis.call("HSET", "pending", sequence, key)
    if counter ~= "" then count(item, tonumber(counter)) end
    outcomes[#outcomes + 1] = {sequence, 0, key, ""}
  end
end
redis.call("ZREMRANGEBYRANK", "counters", ARGV[2], -1)
return {outcomes, redis.call("ZRANGE", "times:sessions", "-inf", "(" .. ARGV[4], "BYSCORE", "LIMIT", 0, 20)}
"""
)

# Of the shop's slot. ARGV: sequences that are with their subjects.
NOTED: Final = 'return redis.call("HDEL", "pending", unpack(ARGV))'

# Of the shop's slot, after FORGET. ARGV: since when a session must have been heard of, then ids of sessions.
QUIET: Final = """
for at = 2, #ARGV do
  local last = redis.call("ZSCORE", "times:sessions", ARGV[at])
  if last and tonumber(last) < tonumber(ARGV[1]) then
    local user = redis.call("GET", "session:" .. ARGV[at])
    if user then redis.call("SREM", "sessions:" .. user, ARGV[at]) end
    redis.call("DEL", "session:" .. ARGV[at])
    redis.call("ZREM", "times:sessions", ARGV[at])
  end
end
return redis.status_reply("OK")
"""

# Of a subject's slot. ARGV: most recent, then 6 an event: sequence, unix_ms, item, type, pieces, text. Returns K of the
# user whose the events are by now, or "". Again it changes nothing.
NOTE: Final = (
    COMMON
    + NOTE_SEEN
    + """
local to = redis.call("GET", "forward")
if to then return to end
local erased = tonumber(redis.call("GET", "erased") or 0)
for at = 2, #ARGV, 6 do
  local sequence, unix_ms, item, event_type, pieces, text = unpack(ARGV, at, at + 5)
  local member = string.format("%016d|", sequence) .. text
  if tonumber(sequence) > erased and not redis.call("ZSCORE", "recent:", member) then
    redis.call("ZADD", "recent:", unix_ms, member)
    note_seen("", event_type, item, pieces)
  end
end
cap("", ARGV[1])
return ""
"""
)

# Of a subject's slot. ARGV: K of the user who is asked for instead, or K of this subject, then as of
# `valkey_scripts.PROFILE`. Returns {K of the user to be asked instead}, or what that does.
PROFILE: Final = (
    valkey_scripts.PROFILE.replace(
        "local key = owner(ARGV[1])",
        'local to = redis.call("GET", "forward")\nif to then return {to} end\nlocal name, key = ARGV[1], ""',
    )
    .replace('string.sub(key, 1, 2) == "u:"', 'string.sub(name, 1, 2) == "u:"')
    .replace("return {key,", "return {name,")
)

# Of the shop's slot. ARGV: session id, user id, text of the merge, now.
MERGE: Final = (
    COMMON
    + """
local before = redis.call("GET", "session:" .. ARGV[1])
if before and before ~= ARGV[2] then redis.call("SREM", "sessions:" .. before, ARGV[1]) end
if not before then redis.call("SADD", "pasts:" .. ARGV[2], ARGV[1]) end
if before ~= ARGV[2] then enter("merge", "u:" .. ARGV[2], ARGV[3]) end
redis.call("SET", "session:" .. ARGV[1], ARGV[2])
redis.call("SADD", "sessions:" .. ARGV[2], ARGV[1])
touch("s:" .. ARGV[1], ARGV[4])
return redis.status_reply("OK")
"""
)

# Of a session's slot. ARGV: K of its user, token. What there is moves aside, unless an earlier move was not brought to
# its end: then that goes on. Returns {token, K of its user, recent ones with scores, had, again, assignments}.
TAKE: Final = """
redis.call("SET", "forward", ARGV[1])
local moving = redis.call("GET", "moving")
if not moving then
  moving = ARGV[2] .. "|" .. ARGV[1]
  redis.call("SET", "moving", moving)
  for _, name in ipairs({"recent:", "had:", "again:", "assignments:"}) do
    if redis.call("EXISTS", name) == 1 then redis.call("RENAME", name, KEYS[1] .. "moving:" .. name) end
  end
end
local token, to = string.match(moving, "^([^|]*)|(.*)$")
return {token, to, redis.call("ZRANGE", "moving:recent:", 0, -1, "WITHSCORES"), redis.call("SMEMBERS", "moving:had:"),
        redis.call("HGETALL", "moving:again:"), redis.call("HGETALL", "moving:assignments:")}
"""

# Of a user's slot. ARGV: token, most recent, seconds that it is known for, then four lists, each after its length: what
# TAKE returned. Again with the same token it changes nothing.
GIVE: Final = (
    COMMON
    + """
if redis.call("SADD", "moved", ARGV[1]) == 0 then return 0 end
redis.call("EXPIRE", "moved", ARGV[3])
local at, lists = 4, {}
for number = 1, 4 do
  lists[number] = {}
  for place = 1, tonumber(ARGV[at]) do lists[number][place] = ARGV[at + place] end
  at = at + 1 + tonumber(ARGV[at])
end
local recent, had, again, arms = unpack(lists)
for place = 1, #recent, 2 do redis.call("ZADD", "recent:", recent[place + 1], recent[place]) end
cap("", ARGV[2])
for _, seen in ipairs(had) do
  local item = string.match(seen, "^purchase%z(.*)$")
  if redis.call("SADD", "had:", seen) == 0 and item then redis.call("HINCRBY", "again:", item, 1) end
end
for place = 1, #again, 2 do redis.call("HINCRBY", "again:", again[place], again[place + 1]) end
for place = 1, #arms, 2 do assign("", arms[place], arms[place + 1]) end
return 1
"""
)

# Of a session's slot. ARGV: token of the move that is done.
GIVEN: Final = """
if string.sub(redis.call("GET", "moving") or "", 1, #ARGV[1] + 1) ~= ARGV[1] .. "|" then return 0 end
return redis.call("DEL", "moving", "moving:recent:", "moving:had:", "moving:again:", "moving:assignments:")
"""

# Of a subject's slot. ARGV: place in the stream up to which everything is to be forgotten, or 0; K of the user whose a
# session may no longer be, or "" for any. Returns how much there was.
FORGET: Final = (
    COMMON
    + """
if ARGV[1] ~= "0" then redis.call("SET", "erased", ARGV[1], "EX", 60) end
local removed = redis.call("ZCARD", "recent:") + redis.call("SCARD", "had:") + redis.call("HLEN", "assignments:")
removed = removed + redis.call("EXISTS", "history:")
forget("")
redis.call("DEL", "moving", "moving:recent:", "moving:had:", "moving:again:", "moving:assignments:", "moved")
if ARGV[2] == "" or redis.call("GET", "forward") == ARGV[2] then redis.call("DEL", "forward") end
return removed
"""
)

# Of a subject's slot. ARGV: K of the user who was erased. The session is nobody's then.
UNFORWARD: Final = 'if redis.call("GET", "forward") == ARGV[1] then redis.call("DEL", "forward") end return 0'

# Of the shop's slot: as there, and without what waits to be noted with who was erased.
ERASE: Final = valkey_scripts.ERASE.replace(
    "local text = string.gsub",
    """local pending = redis.call("HGETALL", "pending")
for at = 1, #pending, 2 do
  if hashed[pending[at + 1]] then redis.call("HDEL", "pending", pending[at]) end
end
local text = string.gsub""",
)

# Of the shop's slot. ARGV as of `valkey_scripts.EXPOSE`. Returns of each exposure whose it is, or "".
EXPOSE: Final = (
    valkey_scripts.EXPOSE.replace("for at = 2", "local owners = {}\nfor at = 2", 1)
    .replace(
        'if experiment ~= "" and key ~= "" then assign(key, experiment, unix_ms .. "|" .. arm) end\n  end',
        'owners[#owners + 1] = key\n  else\n    owners[#owners + 1] = ""\n  end',
    )
    .replace('return redis.status_reply("OK")', "return owners")
)

# Of a subject's slot. ARGV: experiment, text of the arm. Returns as NOTE.
ASSIGN: Final = (
    COMMON
    + """
local to = redis.call("GET", "forward")
if to then return to end
assign("", ARGV[1], ARGV[2])
return ""
"""
)

# Of the shop's slot. ARGV: 2 a history: hash of the user, place in the stream. Returns 1 of each that knows of the
# user's erasures, else 0.
KNOWS_ERASURES: Final = """
local knows = {}
for at = 1, #ARGV, 2 do
  knows[#knows + 1] = 1
  for _, erased in ipairs(redis.call("SMEMBERS", "erasures:" .. ARGV[at])) do
    if tonumber(erased) > tonumber(ARGV[at + 1]) then knows[#knows] = 0 end
  end
end
return knows
"""

# Of a user's slot. ARGV: place in the stream, text. Returns whether it was kept.
HISTORY: Final = """
local newest = string.match(redis.call("GET", "history:") or "0|", "^%d+")
local erased = redis.call("GET", "erased") or "0"
if tonumber(ARGV[1]) < math.max(tonumber(newest), tonumber(erased)) then return 0 end
redis.call("SET", "history:", ARGV[1] .. "|" .. ARGV[2])
return 1
"""
