// libFuzzer target: octets as they might come from a name server, and texts of resolv.conf and hosts. The first octet says which.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sip/dns_files.h"
#include "sip/dns_message.h"

namespace {

void require(bool ok) {
  if (!ok) abort();
}

// What goes into URIs, headers and logs later.
void require_host(const std::string& name) {
  std::string again;
  require(pua::host_name(name, again) && again == name);
}

void answer(std::string_view octets, pua::DnsType type) {
  pua::DnsAnswer a = pua::read_dns_answer(octets, "h.example", type);
  require((a.status == pua::DnsStatus::Found) == !(a.addresses.empty() && a.srvs.empty() && a.naptrs.empty()));
  require(a.status == pua::DnsStatus::Found || !a.detail.empty());
  require(a.addresses.size() + a.srvs.size() + a.naptrs.size() <= pua::kMostRecords);
  for (const auto& address : a.addresses) require(!pua::is_no_server(address) && address.v6 == (type == pua::DnsType::Aaaa));
  for (const auto& s : a.srvs)
    if (!s.target.empty()) {
      require_host(s.target);
      require(s.port != 0);
    }
  for (const auto& n : a.naptrs)
    if (!n.replacement.empty()) require_host(n.replacement);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 6) {
    case 0: answer(rest, pua::DnsType::A); break;
    case 1: answer(rest, pua::DnsType::Aaaa); break;
    case 2: answer(rest, pua::DnsType::Srv); break;
    case 3: answer(rest, pua::DnsType::Naptr); break;
    case 4: {
      auto servers = pua::read_resolv_conf(rest);
      require(!servers.empty() && servers.size() <= pua::kMostNameServers);
      for (const auto& s : servers) require(s.port != 0);
      break;
    }
    case 5:
      for (const auto& [name, list] : pua::read_hosts(rest)) {
        require_host(name);
        require(!list.empty() && list.size() <= pua::kMostHostAddresses);
      }
      break;
  }
  return 0;
}
