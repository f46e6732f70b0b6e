// The two files that say where names are to be found: resolv.conf and hosts. Looked at again, they tell whether they changed.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sip/dns_message.h"

namespace pua {

struct NameServer {
  DnsAddress address;
  uint16_t port = 53;
  bool operator==(const NameServer&) const = default;
};

// "nameserver ADDRESS" and "port NUMBER" (for all of them, as sofia's resolver has it) of a resolv.conf; at most
// kMostNameServers, the rest is passed over, as are other lines and addresses with a zone. None named: 127.0.0.1.
inline constexpr size_t kMostNameServers = 4;
std::vector<NameServer> read_resolv_conf(std::string_view text);

// Lines "ADDRESS NAME..." of a hosts file; at most kMostHosts names and kMostHostAddresses addresses of each.
inline constexpr size_t kMostHosts = 20000, kMostHostAddresses = 8;
using Hosts = std::unordered_map<std::string, std::vector<DnsAddress>>;
Hosts read_hosts(std::string_view text);

class DnsFiles {
 public:
  DnsFiles(std::string resolv_conf, std::string hosts);
  // Reads what has changed since it was read. true: something has. always: reads both.
  bool look(bool always = false);

  const std::vector<NameServer>& servers() const { return servers_; }
  std::string servers_text() const;  // "127.0.0.1, [::1]:5353"
  // Addresses of a name in the hosts file, null: it is not there.
  const std::vector<DnsAddress>* host(const std::string& name) const;

 private:
  // Another file, or other content, where one of these differs.
  struct Stamp {
    bool there = false;
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{}, changed{};
    bool operator==(const Stamp&) const;
  };
  struct File {
    std::string path;
    Stamp stamp;
    bool known = false;
  };
  static Stamp stamp_of(const std::string& path);
  static bool changed(File&, bool always);

  File resolv_conf_, hosts_file_;
  std::vector<NameServer> servers_;
  Hosts hosts_;
};

}  // namespace pua
