// The order in which servers are tried: priorities and weights (RFC 2782), and those that failed lately last.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "sip/servers.h"

namespace pua {

class Random;

// What one SRV record led to: the addresses of its target, in their order.
struct Candidate {
  uint32_t rank = 0;  // the least comes first: the transport's place, then the record's priority
  uint16_t weight = 0;
  std::vector<Server> servers;
};

// Is there a choice, so that each request is to draw anew? candidates: by rank.
bool has_choice(const std::vector<Candidate>&);
// All servers: by rank, and among equals drawn by their weights, as RFC 2782 says.
std::vector<Server> in_order(const std::vector<Candidate>&, Random&);

// Servers that did not answer, or asked not to be asked for a while.
class Holds {
 public:
  static constexpr size_t kMost = 1024;
  // asked: by the server itself (Retry-After).
  void hold(const Server&, MonoMs until, MonoMs now, bool asked = false);
  void release(const Server&);
  bool any(MonoMs now) const { return now < last_; }
  bool held(const Server&, MonoMs now) const;
  bool asked(const Server&, MonoMs now) const;
  // Moves those that are held behind the others; else the order stays.
  void put_last(std::vector<Server>&, MonoMs now) const;
  size_t size() const { return until_.size(); }

 private:
  static std::string key(const Server&);
  struct Hold {
    MonoMs until;
    bool asked;
  };
  std::unordered_map<std::string, Hold> until_;
  MonoMs last_ = 0;  // when the last of them ends, or later
};

}  // namespace pua
