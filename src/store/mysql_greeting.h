// What the first octets of a MariaDB server say about TLS, pure: looked at before the client library reads them.
#pragma once

#include <string_view>

namespace pua {

// Yes: the server offers it, or what it says is no greeting (an error), which the library reads without an answer. Unknown:
// more octets are needed. Odd: a report of progress in place of a greeting, which the library does not survive.
enum class TlsOffer : unsigned char { Unknown, Yes, No, Odd };

inline TlsOffer tls_offer(std::string_view octets) {
  constexpr size_t kHead = 4, kLongest = 300;  // length and number of the packet; a version is not longer
  constexpr unsigned kError = 0xff, kProtocol = 10, kClientSsl = 0x0800;
  constexpr size_t kBehindVersion = 4 + 8 + 1;  // thread, first part of the scramble, a zero
  auto at = [&](size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(octets[i])); };
  if (octets.size() <= kHead) return TlsOffer::Unknown;
  // Octets behind the packet do not belong to the greeting: the library does not look at them either.
  size_t packet = kHead + (at(0) | (at(1) << 8) | (at(2) << 16));
  bool whole = octets.size() >= packet;
  octets = octets.substr(0, packet);
  if (octets.size() <= kHead) return TlsOffer::No;   // empty
  if (at(kHead) == kError) {
    if (octets.size() < kHead + 3) return whole ? TlsOffer::Yes : TlsOffer::Unknown;
    return at(kHead + 1) == 0xff && at(kHead + 2) == 0xff ? TlsOffer::Odd : TlsOffer::Yes;
  }
  if (at(kHead) != kProtocol) return TlsOffer::No;
  size_t end = octets.find('\0', kHead + 1);
  size_t flags = end == octets.npos ? octets.size() : end + 1 + kBehindVersion;
  if (octets.size() >= flags + 2) return (at(flags + 1) & (kClientSsl >> 8)) ? TlsOffer::Yes : TlsOffer::No;
  return whole || octets.size() >= kLongest ? TlsOffer::No : TlsOffer::Unknown;
}

}  // namespace pua
