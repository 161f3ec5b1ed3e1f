-- Resets the failures in a row of a number and service, and nothing else.
--
-- KEYS[1]   the number
-- ARGV[5]   the service
--
-- Answers {DONE, now, how many they were}.

local number, now = read_number(KEYS[1], server_clock())
local service = service_of(number, ARGV[5])
local before = service.row
if before > 0 then
  service.row = 0
  -- The record is there for the row alone, perhaps: what it still knows is found a moment longer.
  number.needed_until = math.max(number.needed_until, now)
  write_number(number, now)
end
return { DONE, now, before }
