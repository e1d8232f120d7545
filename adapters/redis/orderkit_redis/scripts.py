"""What Redis does by itself, in one step each: a look at what is there, and the write that depends on it. Every script touches one key.

An entry is kept in Redis's own forms: a text as a string, a list as a list, fields as a hash. A key that was forgotten a moment ago holds a set,
which no entry is; it keeps the key empty until its time is up.
"""

from __future__ import annotations

# Key; seconds, version, form, parts…: keep an entry, unless what is there is newer, or was just forgotten. Answers with whether it did.
REMEMBER = """
local there = redis.call('TYPE', KEYS[1]).ok
if there == 'set' then return 0 end
if there == 'hash' then
  local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
  if version and version > tonumber(ARGV[2]) then return 0 end
end
redis.call('DEL', KEYS[1])
if ARGV[3] == 'text' then
  redis.call('SET', KEYS[1], ARGV[4])
elseif ARGV[3] == 'list' then
  for i = 4, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
else
  for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

# Key: the form of the entry and its parts, or nothing.
RECALL = """
local there = redis.call('TYPE', KEYS[1]).ok
if there == 'string' then return {'text', redis.call('GET', KEYS[1])} end
if there == 'list' then return {'list', redis.call('LRANGE', KEYS[1], 0, -1)} end
if there == 'hash' then return {'fields', redis.call('HGETALL', KEYS[1])} end
return false
"""

# Key; seconds: drop the entry, and keep the key empty.
FORGET = """
redis.call('DEL', KEYS[1])
redis.call('SADD', KEYS[1], 'forgotten')
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
