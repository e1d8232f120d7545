"""What Redis does by itself, in one step each: a look at what is there, and the write that depends on it. Every script touches one key.

An entry is kept in Redis's own forms: a text as a string, a list as a list, fields as a hash. A key that was forgotten a moment ago holds a set,
which no entry is; it keeps the key empty until its time is up. What is written comes before what is taken away, since only then a server without
room refuses it; only an entry of another form has to go first.
"""

from __future__ import annotations

# Key; seconds, version, form, parts…: keep an entry, unless what is there is newer, or was just forgotten. Answers with whether it did.
REMEMBER = """
local there = redis.call('TYPE', KEYS[1]).ok
if there == 'set' then return 0 end
if there == 'hash' then
  local version = redis.call('HGET', KEYS[1], 'version')
  if version and #version < 19 and string.match(version, '^%d+$') and tonumber(version) > tonumber(ARGV[2]) then return 0 end
end
if ARGV[3] == 'string' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  if there ~= ARGV[3] and there ~= 'none' then redis.call('DEL', KEYS[1]) end
  if ARGV[3] == 'list' then
    for i = 4, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
    redis.call('LTRIM', KEYS[1], 3 - #ARGV, -1)
  else
    local kept = {}
    for i = 4, #ARGV, 2 do
      redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
      kept[ARGV[i]] = true
    end
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      if not kept[field] then redis.call('HDEL', KEYS[1], field) end
    end
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

# Key: the form of the entry and its parts, or nothing.
RECALL = """
local there = redis.call('TYPE', KEYS[1]).ok
if there == 'string' then return {there, redis.call('GET', KEYS[1])} end
if there == 'list' then return {there, redis.call('LRANGE', KEYS[1], 0, -1)} end
if there == 'hash' then return {there, redis.call('HGETALL', KEYS[1])} end
return false
"""

# Key; seconds: drop the entry, and keep the key empty for so long.
FORGET = """
redis.call('DEL', KEYS[1])
if tonumber(ARGV[1]) > 0 then
  redis.call('SADD', KEYS[1], 'forgotten')
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return 1
"""
