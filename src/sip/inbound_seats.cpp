#include "sip/inbound_seats.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace pua {

// An address and its connections.
struct Seat::Source : ListHook {
  Seats::Address address;
  List<Seat::Hook> strangers;  // oldest first
  List<Seat::Hook> known;      // silent longest first
  size_t stranger_count = 0, known_count = 0;
};

Seats::Seats(size_t most, size_t most_per_address)
    : most_(std::max<size_t>(most, 1)), most_per_address_(std::clamp<size_t>(most_per_address, 1, most_)),
      most_known_(std::max<size_t>(most_ - (most_ + 7) / 8, 1)), by_strangers_(most_per_address_ + 1) {}

Seats::~Seats() = default;

Seats::Address Seats::address_of(const sockaddr_storage& from) {
  uint32_t v4 = 0;
  uint64_t v6 = 0;
  if (from.ss_family != AF_INET6) {
    memcpy(&v4, &reinterpret_cast<const sockaddr_in&>(from).sin_addr, sizeof v4);
    return {v4, AF_INET};
  }
  const in6_addr& a = reinterpret_cast<const sockaddr_in6&>(from).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&a)) {
    memcpy(&v4, a.s6_addr + 12, sizeof v4);
    return {v4, AF_INET};
  }
  memcpy(&v6, a.s6_addr, sizeof v6);
  return {v6, AF_INET6};
}

Seats::Room Seats::room_for(const sockaddr_storage& from) {
  auto found = sources_.find(address_of(from));
  if (found != sources_.end()) {
    Seat::Source& s = *found->second;
    if (s.stranger_count + s.known_count >= most_per_address_) {
      Seat::Hook* first = s.strangers.empty() ? s.known.front() : s.strangers.front();
      return {Full::Address, first->seat};
    }
  }
  if (taken_ < most_) return {};
  Seat* leaves = first_stranger();
  return {Full::All, leaves ? leaves : all_known_.front()->seat};
}

Seat* Seats::first_stranger() {
  return most_strangers_ == 0 ? nullptr : by_strangers_[most_strangers_].front()->strangers.front()->seat;
}

// Puts the address where the number of its strangers says.
void Seats::file(Seat::Source& s) {
  if (s.linked()) List<Seat::Source>::erase(s);
  if (s.stranger_count > 0) by_strangers_[s.stranger_count].push_back(s);
  most_strangers_ = std::max(most_strangers_, s.stranger_count);
  while (most_strangers_ > 0 && by_strangers_[most_strangers_].empty()) most_strangers_--;
}

void Seats::sit(Seat& seat, const sockaddr_storage& from) {
  Address address = address_of(from);
  std::unique_ptr<Seat::Source>& slot = sources_[address];
  if (!slot) slot = std::make_unique<Seat::Source>();
  Seat::Source& s = *slot;
  s.address = address;
  seat.source_ = &s;
  seat.known_ = false;
  s.strangers.push_back(seat.in_source_);
  s.stranger_count++;
  taken_++;
  file(s);
}

Seat* Seats::took_notify(Seat& seat) {
  Seat::Source& s = *seat.source_;
  List<Seat::Hook>::erase(seat.in_source_);
  s.known.push_back(seat.in_source_);
  if (seat.known_) {
    List<Seat::Hook>::erase(seat.in_known_);
    all_known_.push_back(seat.in_known_);
    return nullptr;
  }
  seat.known_ = true;
  s.stranger_count--;
  s.known_count++;
  known_count_++;
  all_known_.push_back(seat.in_known_);
  file(s);
  return known_count_ > most_known_ ? all_known_.front()->seat : nullptr;
}

void Seats::leave(Seat& seat) {
  if (!seat.source_) return;
  Seat::Source& s = *seat.source_;
  List<Seat::Hook>::erase(seat.in_source_);
  if (seat.known_) {
    List<Seat::Hook>::erase(seat.in_known_);
    s.known_count--;
    known_count_--;
  } else {
    s.stranger_count--;
  }
  taken_--;
  seat.source_ = nullptr;
  seat.known_ = false;
  file(s);
  if (s.stranger_count + s.known_count == 0) sources_.erase(s.address);
}

}  // namespace pua
