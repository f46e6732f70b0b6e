// Seats: how many connections there may be, and which one gives way to a newcomer. Pure: no sockets, no clock.
//
// A connection is a stranger until a NOTIFY of a dialog of ours came over it; then it is known. Anybody can open a thousand
// connections and say nothing, or talk nonsense; nobody without a dialog becomes known. So:
//   - known connections may have seven eighths of the seats: there is always room for newcomers, and a newcomer never takes the
//     place of a known one. Where more become known, the one that was silent longest leaves;
//   - where all seats are taken, a stranger leaves: the oldest one of the address that has most strangers. An honest notifier
//     sends its NOTIFY at once and is known after a round trip; a flood pushes itself out;
//   - where an address has all the seats it may have, its oldest stranger leaves, or of its known ones the one silent longest.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/list.h"

namespace pua {

class Seats;

// One connection; part of it by inheritance.
class Seat {
 public:
  bool seated() const { return source_ != nullptr; }
  bool known() const { return known_; }

 private:
  friend class Seats;
  struct Hook : ListHook {
    explicit Hook(Seat* s) : seat(s) {}
    Seat* const seat;
  };
  struct Source;
  Source* source_ = nullptr;
  bool known_ = false;
  Hook in_source_{this};   // strangers or known ones of its address
  Hook in_known_{this};    // known ones of all
};

class Seats {
 public:
  // Addresses by number: what counts of the address, and the family.
  using Address = std::pair<uint64_t, int>;

  // most, most_per_address: at least 1.
  Seats(size_t most, size_t most_per_address);
  ~Seats();
  Seats(const Seats&) = delete;
  Seats& operator=(const Seats&) = delete;

  enum class Full : uint8_t { No, Address, All };
  struct Room {
    Full full = Full::No;
    Seat* leaves = nullptr;  // who has to leave() before the newcomer may sit; null: nobody
  };
  // For a newcomer from there. The port does not count, of IPv6 only the first 64 bits do: a host has so many.
  Room room_for(const sockaddr_storage& from);
  void sit(Seat&, const sockaddr_storage& from);
  // A NOTIFY was taken from it. Who has to leave() for that; null: nobody.
  Seat* took_notify(Seat&);
  void leave(Seat&);

  // The stranger that is to leave first; null: there is none.
  Seat* first_stranger();
  size_t taken() const { return taken_; }
  size_t known() const { return known_count_; }
  size_t most() const { return most_; }

 private:
  static Address address_of(const sockaddr_storage&);
  void file(Seat::Source&);

  const size_t most_, most_per_address_, most_known_;
  size_t taken_ = 0, known_count_ = 0;
  std::map<Address, std::unique_ptr<Seat::Source>> sources_;
  std::vector<List<Seat::Source>> by_strangers_;  // addresses with so many strangers, those that came to it first in front
  size_t most_strangers_ = 0;                     // of one address; the highest number whose list is not empty
  List<Seat::Hook> all_known_;                    // silent longest first
};

}  // namespace pua
