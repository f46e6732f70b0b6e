#include "sip/locate_order.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/random.h"

namespace pua {

const char* transport_name(Transport t) {
  switch (t) {
    case Transport::Udp: return "UDP";
    case Transport::Tcp: return "TCP";
    case Transport::Tls: return "TLS";
  }
  return "?";
}

bool same_place(const Server& a, const Server& b) {
  if (a.transport != b.transport || a.address.ss_family != b.address.ss_family) return false;
  if (a.address.ss_family == AF_INET6) {
    const auto& x = reinterpret_cast<const sockaddr_in6&>(a.address);
    const auto& y = reinterpret_cast<const sockaddr_in6&>(b.address);
    return x.sin6_port == y.sin6_port && std::memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0;
  }
  const auto& x = reinterpret_cast<const sockaddr_in&>(a.address);
  const auto& y = reinterpret_cast<const sockaddr_in&>(b.address);
  return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
}

std::string place_text(const Server& s) {
  char text[INET6_ADDRSTRLEN] = "?";
  std::string out = std::string(transport_name(s.transport)) + " ";
  if (s.address.ss_family == AF_INET6) {
    const auto& a = reinterpret_cast<const sockaddr_in6&>(s.address);
    inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof text);
    return out + "[" + text + "]:" + std::to_string(ntohs(a.sin6_port));
  }
  const auto& a = reinterpret_cast<const sockaddr_in&>(s.address);
  inet_ntop(AF_INET, &a.sin_addr, text, sizeof text);
  return out + text + ":" + std::to_string(ntohs(a.sin_port));
}

bool has_choice(const std::vector<Candidate>& c) {
  for (size_t i = 1; i < c.size(); i++)
    if (c[i].rank == c[i - 1].rank) return true;
  return false;
}

std::vector<Server> in_order(const std::vector<Candidate>& candidates, Random& random) {
  std::vector<Server> out;
  std::vector<const Candidate*> left;
  for (size_t i = 0; i < candidates.size();) {
    left.clear();
    const uint32_t rank = candidates[i].rank;
    // Those without weight first, so that they keep a very small chance (RFC 2782).
    for (size_t j = i; j < candidates.size() && candidates[j].rank == rank; j++)
      if (candidates[j].weight == 0) left.push_back(&candidates[j]);
    for (; i < candidates.size() && candidates[i].rank == rank; i++)
      if (candidates[i].weight != 0) left.push_back(&candidates[i]);
    while (!left.empty()) {
      uint64_t sum = 0;
      for (const Candidate* c : left) sum += c->weight;
      uint64_t drawn = left.size() > 1 ? (sum > 0 ? random.below(sum + 1) : random.below(left.size())) : 0;
      size_t at = 0;
      if (sum == 0) {
        at = static_cast<size_t>(drawn);  // all alike
      } else {
        for (uint64_t running = left[0]->weight; running < drawn; running += left[at]->weight) at++;
      }
      out.insert(out.end(), left[at]->servers.begin(), left[at]->servers.end());
      left.erase(left.begin() + static_cast<long>(at));
    }
  }
  return out;
}

std::string Holds::key(const Server& s) {
  std::string out(1, static_cast<char>(s.transport));
  if (s.address.ss_family == AF_INET6) {
    const auto& a = reinterpret_cast<const sockaddr_in6&>(s.address);
    out.append(reinterpret_cast<const char*>(&a.sin6_addr), sizeof a.sin6_addr);
    return out.append(reinterpret_cast<const char*>(&a.sin6_port), sizeof a.sin6_port);
  }
  const auto& a = reinterpret_cast<const sockaddr_in&>(s.address);
  out.append(reinterpret_cast<const char*>(&a.sin_addr), sizeof a.sin_addr);
  return out.append(reinterpret_cast<const char*>(&a.sin_port), sizeof a.sin_port);
}

void Holds::hold(const Server& s, MonoMs until, MonoMs now, bool asked) {
  std::string k = key(s);
  if (until_.size() >= kMost && !until_.count(k)) {
    std::erase_if(until_, [&](const auto& h) { return h.second.until <= now; });
    if (until_.size() >= kMost)
      until_.erase(
          std::min_element(until_.begin(), until_.end(), [](auto& a, auto& b) { return a.second.until < b.second.until; }));
  }
  until_[std::move(k)] = {until, asked};
  last_ = std::max(last_, until);
}

void Holds::release(const Server& s) {
  if (until_.empty()) return;
  until_.erase(key(s));
  if (until_.empty()) last_ = 0;
}

bool Holds::held(const Server& s, MonoMs now) const {
  auto it = until_.find(key(s));
  return it != until_.end() && now < it->second.until;
}

bool Holds::asked(const Server& s, MonoMs now) const {
  if (until_.empty()) return false;
  auto it = until_.find(key(s));
  return it != until_.end() && it->second.asked && now < it->second.until;
}

void Holds::put_last(std::vector<Server>& servers, MonoMs now) const {
  std::stable_partition(servers.begin(), servers.end(), [&](const Server& s) { return !held(s, now); });
}

}  // namespace pua
