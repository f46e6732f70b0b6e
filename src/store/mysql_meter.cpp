#include "store/mysql_meter.h"

#include <sys/socket.h>

#include <cstdint>

// Exported by the library for its plugins, and declared in none of its headers: a function that is called after each read (mode
// 0) and write (1) of any connection. It cannot be taken back, which is why libpua.so stays where it was loaded (-z nodelete).
extern "C" int ma_pvio_register_callback(my_bool add, void (*)(int mode, MYSQL*, const unsigned char* octets, size_t count));

namespace pua {

thread_local MysqlMeter* MysqlMeter::current_ = nullptr;

MysqlMeter::MysqlMeter() {
  [[maybe_unused]] static const int once = ma_pvio_register_callback(1, &MysqlMeter::on_octets);
}

void MysqlMeter::on_octets(int mode, MYSQL* mysql, const unsigned char*, size_t count) {
  MysqlMeter* m = current_;
  if (mode != 0 || !m || count > SIZE_MAX / 2) return;   // an error of a read is -1
  bool was_over = m->over();
  m->octets_ += count;
  if (was_over || !m->over()) return;
  int fd = mysql_get_socket(mysql);
  shutdown(fd, SHUT_RDWR);
  char octets[4096];
  while (recv(fd, octets, sizeof octets, MSG_DONTWAIT) > 0) {
  }
}

}  // namespace pua
