-- The whole registry at one moment: {revision, {name, value, name, value, ...}}; see write.lua.
return {redis.call('HGET', KEYS[2], 'revision') or '0', redis.call('HGETALL', KEYS[1])}
