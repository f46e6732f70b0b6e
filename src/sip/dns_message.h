// A DNS answer as octets, and what it says about one question. Pure, and made for octets from strangers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pua {

enum class DnsType : uint16_t { A = 1, Cname = 5, Aaaa = 28, Srv = 33, Naptr = 35 };

const char* dns_type_name(DnsType);

enum class DnsStatus : uint8_t {
  Found,   // there are records
  NoData,  // the name exists, or may exist, but has no such record
  NoName,  // the name does not exist
  Failed,  // the name servers said that they cannot tell, or their answer is broken
  Silent,  // they did not answer, or could not be reached
};

struct DnsAddress {
  bool v6 = false;
  std::array<uint8_t, 16> octets{};  // an IPv4 address in the first four
  bool operator==(const DnsAddress&) const = default;
};

// From text, without brackets. false: it is no address.
bool read_address(std::string_view text, DnsAddress& out);
// An address that no server can have: unspecified, multicast, broadcast, or IPv4 within IPv6.
bool is_no_server(const DnsAddress&);

// A name that a question may be about: lower case, without the dot at its end; labels of letters, digits, '-' and '_', up to
// 63 octets, 253 together. false: it is no such name.
bool host_name(std::string_view text, std::string& out);

struct DnsSrv {
  uint16_t priority = 0, weight = 0, port = 0;
  std::string target;  // empty: "." (there is no such service, RFC 2782)
};

struct DnsNaptr {
  uint16_t order = 0, preference = 0;
  std::string flags, service, regexp, replacement;  // as written; the replacement as host_name() makes it
};

struct DnsAnswer {
  DnsStatus status = DnsStatus::Silent;
  std::string detail;  // where it is not Found: what the name servers said, "SERVFAIL"
  uint32_t ttl = 0;    // seconds, the least of the records and aliases that led to them
  std::vector<DnsAddress> addresses;
  std::vector<DnsSrv> srvs;
  std::vector<DnsNaptr> naptrs;
};

// Reads the answer to (name, type): aliases (CNAME) are followed within it; records for other names, and names that no host
// can have, are passed over. Never more than kMostRecords. name: as host_name() makes it.
inline constexpr size_t kMostRecords = 64;
DnsAnswer read_dns_answer(std::string_view octets, std::string_view name, DnsType type);

}  // namespace pua
