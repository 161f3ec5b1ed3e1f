-- Enters the era of a primary into the book of eras, once, and tells since when its data may be incomplete.
--
-- KEYS[1]  the book: a hash of 'e:<era>' -> milliseconds since 1970, and 'a:<host:port>' -> the era last seen there
-- ARGV[1]  the era          ARGV[2]  the era that it took over from, or ''
-- ARGV[3]  host:port        ARGV[4]  'seen': the caller has seen another era in this place, or this one in the book; 'only': there
--                            is but one primary; or ''
-- ARGV[5]  for how long the book is kept, in milliseconds
--
-- Answers milliseconds since 1970, or 0: nothing is known to be missing. A primary without a past (a new fleet, a shard that was
-- added) has lost nothing.
local book, era = KEYS[1], ARGV[1]
local since = redis.call('HGET', book, 'e:' .. era)
if not since then
  local past = redis.call('HGET', book, 'a:' .. ARGV[3])
  local empty = redis.call('HLEN', book) == 0
  local follows = ARGV[2] ~= '' and redis.call('HEXISTS', book, 'e:' .. ARGV[2]) == 1
  since = '0'
  if follows or past or (ARGV[4] == 'seen') or (ARGV[4] == 'only' and not empty) then
    local time = redis.call('TIME')
    since = string.format('%d%03d', time[1], math.floor(time[2] / 1000))
  end
  -- Addresses come and go where servers are made anew; the book must not grow with them.
  if redis.call('HLEN', book) > 1000 then redis.call('DEL', book) end
  redis.call('HSET', book, 'e:' .. era, since, 'a:' .. ARGV[3], era)
end
if redis.call('PTTL', book) < ARGV[5] / 2 then redis.call('PEXPIRE', book, ARGV[5]) end
return since
