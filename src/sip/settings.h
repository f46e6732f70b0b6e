// What the SIP stack is told when it is made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sip/digest.h"

namespace pua {

// Octets that a message may be longer than its body: header fields.
constexpr uint32_t kMessageHead = 64u << 10;

struct SipSettings {
  // Where requests leave from, and replies come to: "sip:192.0.2.1:5070", "sip:[2001:db8::1]:5070", "sip:*:5070" (every
  // address, IPv4 and IPv6), "sips:192.0.2.1:5071" (TLS), each also with ";transport=udp" or "=tcp". A sip: URI opens UDP
  // and TCP. The port is the fixed port that UDP requests leave from; "*" as port: any free one. Empty: "sip:0.0.0.0:*".
  std::vector<std::string> listen;
  std::vector<std::string> notify_listen;   // where NOTIFYs are taken, in the same form; empty: nowhere
  bool lane = true;                         // UDP goes through the lane; sofia opens no UDP socket
  std::string user_agent = "libpua";        // empty: no User-Agent header field
  std::string tls_dir;                      // folder with agent.pem (certificate and key) and cafile.pem; needed for sips:
  bool tls_verify = true;                   // the server's certificate must be valid and carry its host name
  std::vector<SipCredential> credentials;
  uint32_t t1_ms = 500;                     // RFC 3261 T1; T2 is 8 times, the time until 408 is 64 times T1
  std::string resolv_conf;                  // instead of /etc/resolv.conf; may hold a "port" line
  uint32_t udp_buffer = 8u << 20;           // octets of the socket's receive and send buffer
  uint32_t max_message = (256u << 10) + kMessageHead;   // octets of an incoming message over a connection; more is not held
  // Connections from outside, over all addresses of notify_listen together. What they mean: pua.conf(5).
  uint32_t max_connections = 1024;
  uint32_t max_connections_per_address = 64;  // of IPv6: per /64
  uint32_t tcp_silence_ms = 10000;          // until a message is whole
  uint32_t tcp_idle_ms = 600000;            // between messages
  uint32_t descriptor_reserve = 128;        // below the limit of open files, that these connections leave to others
};

}  // namespace pua
