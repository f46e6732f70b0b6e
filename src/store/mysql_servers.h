// The servers that db_url names, and how to log in: shared by all connections of one store, which stay together on one
// server, so that one lane sees what another has written.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "store/db_url.h"

namespace pua {

struct MysqlServer {
  DbHost host;
  std::string address;          // that a connection stood at last, of those that the name has; "": the unix socket, or none yet
  // Marks of connections that broke with a statement under way. The server may still carry that statement out, long after:
  // it must be ended before anything newer is written (mysql_conn.h).
  std::vector<std::string> fences;
};

struct MysqlServers {
  std::string user, password, database, table;
  std::string socket;           // of "localhost" without a port; empty: where the client library looks
  bool tls = false, tls_verify = false;
  std::string tls_ca;           // file; needed to verify
  MonoMs timeout_ms = 5000;     // a statement without an answer for so long breaks its connection
  int version = 0;              // what table `version` must say

  // Who may write: the name of a line in the meta table, and what it must say. Changed whenever a statement was left behind
  // that somebody may still carry out (mysql_conn.h).
  std::string writer_name, writer;
  bool writer_stands = false;   // the line says so

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
