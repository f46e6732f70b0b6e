// The servers that db_url names, and how to log in: shared by all connections of one store, which stay together on one
// server, so that one lane sees what another has written.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "store/db_url.h"

namespace pua {

struct MysqlServer {
  DbHost host;
  std::string address;          // that a connection stood at last, of those that the name has; "": the unix socket, or none yet
  // Marks of connections that broke with a statement under way. The server may still carry that statement out, long after:
  // it must be ended before anything newer is written (mysql_session.h).
  std::vector<std::string> fences;
};

// A line of the meta table that tells the tables from a copy of them (docs/adr/0018): "<writer> <number>". The number moves in
// the transaction of each write of one lane.
struct MysqlCount {
  std::string name;             // of the line
  std::string writer;           // who has written it last; empty: nothing is known of it
  uint64_t number = 0;          // as it was last known to be committed
  uint64_t most = 0;            // what may be there: statements are out, or their answers were lost
  uint64_t life = 0;            // grows each time that the count begins anew
  void begin(const std::string& who) {
    writer = who;
    number = most = 0;
    life++;
  }
  std::string value(uint64_t n) const { return writer + " " + std::to_string(n); }
  // Is that what the line may say? since: what was known when it was asked for.
  bool holds(std::string_view found, uint64_t since) const {
    for (uint64_t n = since; n <= most; n++)
      if (found == value(n)) return true;
    return false;
  }
  bool holds(std::string_view found) const { return holds(found, number); }
};

struct MysqlServers {
  std::string user, password, database, table;
  std::string socket;           // of "localhost" without a port; empty: where the client library looks
  bool tls = false, tls_verify = false;
  bool clear_password = false;  // a server may ask for the password as it is; needs tls
  std::string tls_ca;           // file; needed to verify
  MonoMs timeout_ms = 5000;     // a statement without an answer for so long breaks its connection
  int version = 0;              // what table `version` must say

  // Who may write: the name of a line in the meta table, and what it must say. Changed whenever a statement was left behind
  // that somebody may still carry out (mysql_session.h).
  std::string writer_name, writer;
  bool writer_stands = false;   // the line says so
  const void* taker = nullptr;  // the session that is writing the line, and what goes with it: one at a time
  MysqlCount counts[2];         // of the lanes, Fast first
  std::vector<std::string> begun;  // writers in whose name the counts may have begun anew, though the answer was lost
  // Is that what the line of this count may say?
  bool may_say(const MysqlCount& c, std::string_view found) const {
    return c.writer.empty() || c.holds(found) ||
           std::any_of(begun.begin(), begun.end(), [&](auto& who) { return found == who + " 0"; });
  }
  std::function<void()> on_copy;
  // The tables are not those that were written to: the lines are written anew before the next statement.
  void forget_counts() {
    for (MysqlCount& c : counts) c.begin({});
    writer_stands = false;
  }
  void found_copy() {
    forget_counts();
    if (on_copy) on_copy();
  }

  std::vector<MysqlServer> list;
  size_t current = 0;

  // The server could not be used: on to the next one, unless somebody else has moved on already.
  void failed(size_t which) {
    if (which != current) return;
    current = (current + 1) % list.size();
    writer_stands = false;      // the other one may lag behind
  }
  // A connection stands. Behind another address there may be another server.
  void stand_at(size_t which, const std::string& address) {
    if (list[which].address == address) return;
    list[which].address = address;
    writer_stands = false;
  }
  std::string label(size_t which) const {
    const DbHost& h = list[which].host;
    std::string name = h.name.find(':') != h.name.npos ? "[" + h.name + "]" : h.name;
    return h.port ? name + ":" + std::to_string(h.port) : name;
  }
};

}  // namespace pua
