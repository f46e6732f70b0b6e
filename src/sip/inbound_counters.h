// What the stream server counts: connections taken, how they ended, and how many there are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pua {

// Why a connection from outside ended; X(name, help). /metrics shows the names as labels.
#define PUA_INBOUND_ENDS(X)                                                                                                \
  X(peer, "the other side closed it")                                                                                      \
  X(limit, "it gave way to a newer one: max_connections")                                                                  \
  X(address_limit, "it gave way to a newer one of its address: max_connections_per_address")                               \
  X(descriptors, "it gave way to a newer one, or was not taken: the process is short of descriptors")                      \
  X(memory, "too many octets of unfinished messages, unread answers and TLS were held")                                  \
  X(silent, "no whole message came in time: tcp_silence")                                                                  \
  X(idle, "nothing came for too long: tcp_idle")                                                                           \
  X(unread, "the other side did not read its answers")                                                                     \
  X(too_large, "a message was longer than is taken")                                                                       \
  X(length, "a message had no Content-Length, or none that could be read")                                                 \
  X(unparsable, "what came was no SIP")                                                                                    \
  X(tls, "TLS failed")                                                                                                     \
  X(shutdown, "the library was ended")

enum class InboundEnd : uint8_t {
#define X(name, help) name,
  PUA_INBOUND_ENDS(X)
#undef X
};

#define X(name, help) +1
constexpr size_t kInboundEnds = 0 PUA_INBOUND_ENDS(X);
#undef X
constexpr const char* kInboundEndNames[] = {
#define X(name, help) #name,
    PUA_INBOUND_ENDS(X)
#undef X
};

struct InboundCounters {
  uint64_t accepted = 0;
  uint64_t open = 0;      // now
  uint64_t known = 0;     // of these, with a NOTIFY that was taken
  uint64_t held = 0;      // octets of unfinished messages and unread answers, now
  uint64_t messages = 0;  // whole messages
  uint64_t pings = 0;     // keep-alives answered (RFC 5626 section 4.4.1)
  uint64_t pauses = 0;    // times that accepting was paused for want of descriptors
  std::array<uint64_t, kInboundEnds> ended{};
  uint64_t& of(InboundEnd e) { return ended[static_cast<size_t>(e)]; }
  uint64_t of(InboundEnd e) const { return ended[static_cast<size_t>(e)]; }
};

}  // namespace pua
