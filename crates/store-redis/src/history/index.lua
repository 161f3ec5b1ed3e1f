-- Adds members to an index: a sorted set whose scores are all 0, so that it is ordered by its members' bytes.
--
-- KEYS  1 the index
-- ARGV  1, 2 the link's   3 seconds that it is kept   then the members
for at = 4, #ARGV do
  redis.call('ZADD', KEYS[1], 0, ARGV[at])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
