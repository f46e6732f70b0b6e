// MysqlFiber: a stack of its own for a call of the client library that waits inside. The handshake of TLS is such a call, of
// its non-blocking ones, too; but where the library would wait, it asks a function of ours (MARIADB_OPT_IO_WAIT). That leaves
// the call standing on this stack and comes back to the loop, which goes on with it when the socket is ready. No thread has to
// do with it.
#pragma once

#include <ucontext.h>

#include <functional>
#include <memory>

#include <mysql.h>

namespace pua {

class MysqlFiber {
 public:
  static std::unique_ptr<MysqlFiber> make();   // nullptr: no memory
  ~MysqlFiber();                               // precondition: no call stands on it
  MysqlFiber(const MysqlFiber&) = delete;
  MysqlFiber& operator=(const MysqlFiber&) = delete;

  // Makes the call, or goes on with the one that stands here. ready: what has come, as the library names it. Returns what the
  // call returns, or, while it waits inside, what for.
  int go(int ready, std::function<int(int ready)> call);
  // Whatever would wait fails from now on, so that a call that stands here comes back when it goes on.
  void give_up() { given_up_ = true; }

  // What the library asks. 1: there is something to read, or room to write. 0: nothing has come in time, which is the answer to
  // whatever would wait beside a fiber.
  static int io_wait(my_socket, my_bool is_read, int timeout);

 private:
  enum class State : unsigned char { Idle, Standing };
  MysqlFiber() = default;
  static void serve();
  static void on_octets(int mode, MYSQL*, const unsigned char* octets, size_t count);

  void* memory_ = nullptr;
  ucontext_t inside_{}, outside_{};
  State state_ = State::Idle;
  bool given_up_ = false;
  std::function<int(int)> call_;
  int ready_ = 0, status_ = 0;
};

}  // namespace pua
