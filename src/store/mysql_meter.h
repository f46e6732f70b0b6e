// Counts what MariaDB's client library reads for one connection, and ends the connection where an answer is longer than any
// that was asked for. The library itself takes whatever a server sends, into memory, up to 1 GB a packet and without an end of
// packets.
#pragma once

#include <cstddef>

#include <mysql.h>

namespace pua {

class MysqlMeter {
 public:
  MysqlMeter();
  MysqlMeter(const MysqlMeter&) = delete;
  MysqlMeter& operator=(const MysqlMeter&) = delete;

  // From now on up to so many octets.
  void begin(size_t most) { octets_ = 0, most_ = most; }
  bool over() const { return octets_ > most_; }
  size_t most() const { return most_; }

  // What the library reads on this thread while this lives is counted. Where it is too much, the socket is shut down and
  // emptied, so that the call under way ends with an error.
  class Scope {
   public:
    explicit Scope(MysqlMeter& m) : former_(current_) { current_ = &m; }
    ~Scope() { current_ = former_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    MysqlMeter* former_;
  };

 private:
  static void on_octets(int mode, MYSQL*, const unsigned char* octets, size_t count);
  static thread_local MysqlMeter* current_;   // other threads of the process may use the library for ends of their own

  size_t octets_ = 0, most_ = 0;
};

}  // namespace pua
