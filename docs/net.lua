-- Names the parts of a mesh's datagrams in Wireshark and tshark. Payloads stay sealed.
--   tshark -X lua_script:docs/net.lua -d udp.port==PORT,net -r capture.pcap
local net = Proto("net", "NET mesh")
local f = net.fields
f.class = ProtoField.string("net.class", "Class")
f.ttl = ProtoField.uint8("net.route.ttl", "Time to live")
f.hops = ProtoField.uint8("net.route.hops", "Hops")
f.source = ProtoField.uint32("net.route.source", "Source routing id", base.HEX)
f.destination = ProtoField.uint64("net.route.destination", "Destination node id", base.HEX)
f.flags = ProtoField.uint8("net.flags", "Flags", base.HEX)
f.reliable = ProtoField.bool("net.flags.reliable", "Reliable", 8, nil, 0x01)
f.handshake = ProtoField.bool("net.flags.handshake", "Handshake", 8, nil, 0x10)
f.heartbeat = ProtoField.bool("net.flags.heartbeat", "Heartbeat", 8, nil, 0x20)
f.parity = ProtoField.bool("net.flags.parity", "Parity of the sealed epoch", 8, nil, 0x40)
f.subprotocol = ProtoField.uint16("net.subprotocol", "Subprotocol", base.HEX)
f.counter = ProtoField.uint64("net.counter", "Packet counter")
f.session = ProtoField.uint64("net.session", "Session id", base.HEX)
f.stream = ProtoField.uint64("net.stream", "Stream id", base.HEX)
f.sequence = ProtoField.uint64("net.sequence", "Sequence")
f.length = ProtoField.uint16("net.length", "Payload bytes")
f.events = ProtoField.uint16("net.events", "Events")
f.origin = ProtoField.uint64("net.pingwave.origin", "Origin node id", base.HEX)
f.wave = ProtoField.uint64("net.pingwave.sequence", "Pingwave")

local subprotocols = {
  [0x0000] = "events",
  [0x0a00] = "channel membership",
  [0x0b00] = "grant",
  [0x0b01] = "missing packets",
  [0x0b02] = "stream reset",
  [0x0b03] = "received ranges",
  [0x0c00] = "announcement",
  [0x0c01] = "route withdrawal",
  [0x0d00] = "reflex",
  [0x1100] = "blob transfer",
  [0x2200] = "proof or path",
  [0x2201] = "measurement",
}
local sealing = { "retry", "retried", "reset" }

local function packet(buffer, at, tree, info)
  local flags = buffer(at + 3, 1):uint()
  local shown = tree:add(f.flags, buffer(at + 3, 1))
  for _, flag in ipairs({ f.reliable, f.handshake, f.heartbeat, f.parity }) do
    shown:add(flag, buffer(at + 3, 1))
  end
  tree:add_le(f.subprotocol, buffer(at + 8, 2))
  tree:add_le(f.counter, buffer(at + 16, 8))
  tree:add_le(f.session, buffer(at + 24, 8))
  tree:add_le(f.stream, buffer(at + 32, 8))
  tree:add_le(f.sequence, buffer(at + 40, 8))
  tree:add_le(f.length, buffer(at + 64, 2))
  tree:add_le(f.events, buffer(at + 66, 2))
  if bit.band(flags, 0x10) ~= 0 then return info .. "handshake" end
  if bit.band(flags, 0x20) ~= 0 then return info .. "heartbeat" end
  local subprotocol = buffer(at + 8, 2):le_uint()
  return info .. (subprotocols[subprotocol] or string.format("subprotocol 0x%04x", subprotocol))
end

function net.dissector(buffer, pinfo, root)
  if buffer:len() < 2 then return end
  pinfo.cols.protocol = "NET"
  local tree = root:add(net, buffer())
  local magic = buffer(0, 2):le_uint()
  local info = "unknown"
  if buffer:len() == 14 and magic == 0x4850 then
    info = "keep-alive"
  elseif buffer:len() == 72 and magic ~= 0x4e45 then
    info = "pingwave"
    tree:add_le(f.origin, buffer(0, 8))
    tree:add_le(f.wave, buffer(32, 8))
  elseif magic == 0x5452 and buffer:len() >= 86 then
    tree:add(f.ttl, buffer(2, 1))
    tree:add(f.hops, buffer(3, 1))
    tree:add_le(f.source, buffer(6, 4))
    tree:add_le(f.destination, buffer(10, 8))
    info = packet(buffer, 18, tree, "routed ")
  elseif magic == 0x4e45 and buffer:len() >= 68 then
    info = packet(buffer, 0, tree, "")
  elseif magic == 0x534e then
    info = "sealing " .. (buffer:len() > 2 and sealing[buffer(2, 1):uint()] or "unknown")
  end
  tree:add(f.class, info)
  pinfo.cols.info = info
end

DissectorTable.get("udp.port"):add_for_decode_as(net)
