-- Adds to the history of one service in one hour: entries, news of entries, counts. All of it can come again and is there once.
--
-- KEYS  1 entries (hash: "e" id -> entry, "n" id -> news, one after the other)   2 their order (sorted set, all scores 0: instant id)
--       3 counts (hash: country|sender|channel|field -> number)   4 whether the counts of this batch are in (a text); one slot
-- ARGV  1, 2 the link's   3 seconds that entries are kept   4 seconds that counts are kept   5 most entries   6 whether there are
--       counts to guard ("1")   7 number of entries   8 number of news   then for each entry: id, instant id, entry; for each news:
--       id, length and news; for each count: field, number
-- Gives how many entries went because there were too many: the oldest.
--
-- News of an entry that is not there are dropped: it was forgotten. News of one entry have at most MOST_NEWS bytes.
local MOST_NEWS = 4096
local entries, order, counts, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local keep_entries, keep_counts, most = ARGV[3], ARGV[4], tonumber(ARGV[5])
local guarded, entry_count, news_count = ARGV[6] == '1', tonumber(ARGV[7]), tonumber(ARGV[8])
local held = redis.call('ZCARD', order)
redis.call('EXISTS', entries)
redis.call('EXISTS', counts)
local counted = redis.call('EXISTS', done) == 1

local next = 9
for _ = 1, entry_count do
  local id, place, entry = ARGV[next], ARGV[next + 1], ARGV[next + 2]
  if redis.call('HSETNX', entries, 'e' .. id, entry) == 1 then
    held = held + redis.call('ZADD', order, 0, place)
  end
  next = next + 3
end
for _ = 1, news_count do
  local id, news = ARGV[next], ARGV[next + 1]
  if redis.call('HEXISTS', entries, 'e' .. id) == 1 then
    local known = redis.call('HGET', entries, 'n' .. id) or ''
    if #known + #news <= MOST_NEWS then
      redis.call('HSET', entries, 'n' .. id, known .. news)
    end
  end
  next = next + 2
end
if next < #ARGV and not (guarded and counted) then
  if guarded then
    redis.call('SET', done, '1', 'EX', 3600)
  end
  for at = next, #ARGV, 2 do
    redis.call('HINCRBY', counts, ARGV[at], ARGV[at + 1])
  end
  redis.call('EXPIRE', counts, keep_counts)
end
local dropped = 0
while held > most do
  local oldest = redis.call('ZRANGE', order, 0, 0)[1]
  local id = string.sub(oldest, 9)
  redis.call('HDEL', entries, 'e' .. id, 'n' .. id)
  redis.call('ZREM', order, oldest)
  held, dropped = held - 1, dropped + 1
end
if entry_count > 0 then
  redis.call('EXPIRE', entries, keep_entries)
  redis.call('EXPIRE', order, keep_entries)
end
return dropped
