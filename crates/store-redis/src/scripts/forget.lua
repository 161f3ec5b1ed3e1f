-- Erases the verifications of a number, of one service or of all, and marks when: replies that were begun before are not given
-- any more. Counters stay.
--
-- KEYS[1]   the number
-- ARGV[5]   the service, or '' for all
--
-- Answers {DONE, now, how many verifications were erased}.

local number, now = read_number(KEYS[1], server_clock())
local erased = {}
for _, service in ipairs(number.services) do
  if ARGV[5] == '' or service.id == ARGV[5] then
    for _, id in ipairs(found_by(service)) do
      if redis.call('EXISTS', verification_key(id)) == 1 then erased[#erased + 1] = verification_key(id) end
    end
    service.found = ''
  end
end
local marks = {}
for first = 1, #number.marks, MARK_BYTES do
  local mark = string.sub(number.marks, first, first + MARK_BYTES - 1)
  local covered = ARGV[5] == '' or string.sub(mark, 2, 17) == ARGV[5]
  if not covered and struct.unpack('>I6', mark, 18) + REPLY_KEPT_MS > now then marks[#marks + 1] = mark end
end
local everyone = ARGV[5] == ''
marks[#marks + 1] = struct.pack('>Bc16I6', everyone and 1 or 0, everyone and string.rep('\0', 16) or ARGV[5], now)
number.marks = table.concat(marks)
write_number(number, now)
for _, key in ipairs(erased) do redis.call('DEL', key) end
return { DONE, now, #erased }
