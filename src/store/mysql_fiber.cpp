#include "store/mysql_fiber.h"

#include <event2/util.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

// As in mysql_meter.cpp.
extern "C" int ma_pvio_register_callback(my_bool add, void (*)(int mode, MYSQL*, const unsigned char* octets, size_t count));

namespace pua {

namespace {

// The library's non-blocking calls bring a stack of their own for what is deep, the handshake among it. Here lie the frames
// that begin them, and those of signals.
constexpr size_t kStackOctets = 128 * 1024;

thread_local MysqlFiber* running = nullptr;   // the library hands nothing of ours to io_wait()

size_t page_octets() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

std::unique_ptr<MysqlFiber> MysqlFiber::make() {
  [[maybe_unused]] static const int once = ma_pvio_register_callback(1, &MysqlFiber::on_octets);
  std::unique_ptr<MysqlFiber> f(new MysqlFiber);
  size_t page = page_octets();
  void* memory = mmap(nullptr, page + kStackOctets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  f->memory_ = memory;
  // The lowest page cannot be touched: a stack that grows beyond its end stops the process, and overwrites nothing.
  if (mprotect(memory, page, PROT_NONE) != 0 || getcontext(&f->inside_) != 0) return nullptr;
  f->inside_.uc_stack.ss_sp = static_cast<char*>(memory) + page;
  f->inside_.uc_stack.ss_size = kStackOctets;
  f->inside_.uc_link = nullptr;
  makecontext(&f->inside_, &MysqlFiber::serve, 0);
  return f;
}

MysqlFiber::~MysqlFiber() {
  if (memory_) munmap(memory_, page_octets() + kStackOctets);
}

int MysqlFiber::go(int ready, std::function<int(int)> call) {
  if (state_ == State::Idle) call_ = std::move(call);
  ready_ = ready;
  running = this;
  swapcontext(&outside_, &inside_);
  running = nullptr;
  return status_;
}

void MysqlFiber::serve() {
  for (MysqlFiber* f = running;;) {
    f->status_ = f->call_(f->ready_);
    swapcontext(&f->inside_, &f->outside_);
  }
}

// When a socket is connected, the library makes it blocking, as it sends and receives with flags that say otherwise. OpenSSL
// knows no such flags: the handshake, and later each statement, would stand in read() until something comes. Between that and
// the handshake it writes: the request for TLS.
void MysqlFiber::on_octets(int mode, MYSQL* mysql, const unsigned char*, size_t) {
  if (mode == 1 && running) evutil_make_socket_nonblocking(mysql_get_socket(mysql));
}

int MysqlFiber::io_wait(my_socket, my_bool is_read, int) {
  MysqlFiber* f = running;
  if (f && !f->given_up_) {
    f->status_ = is_read ? MYSQL_WAIT_READ : MYSQL_WAIT_WRITE;
    f->state_ = State::Standing;
    swapcontext(&f->inside_, &f->outside_);
    f->state_ = State::Idle;
    if (!f->given_up_) return 1;
  }
  errno = ETIMEDOUT;
  return 0;
}

}  // namespace pua
