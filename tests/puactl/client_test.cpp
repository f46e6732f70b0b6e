// What a client says where no daemon can be reached.
#include "puactl/client.h"

#include <cerrno>

#include "CppUTest/TestHarness.h"

using namespace puactl;

TEST_GROUP(Client) {};

TEST(Client, who_cannot_be_reached_is_named_with_what_to_look_at) {
  STRCMP_EQUAL("/run/x: No such file or directory: is puad running, and is this its dgram_socket? --socket names another one",
               unreachable("/run/x", ENOENT).c_str());
  STRCMP_EQUAL("/run/x: Connection refused: is puad running, and is this its dgram_socket? --socket names another one",
               unreachable("/run/x", ECONNREFUSED).c_str());
  STRCMP_EQUAL("/run/x: Permission denied: only root and the group of the socket, usually puad, may give orders",
               unreachable("/run/x", EACCES).c_str());
  STRCMP_EQUAL("/run/x: request too large", unreachable("/run/x", EMSGSIZE).c_str());
  STRCMP_EQUAL("/run/x: Protocol wrong type for socket", unreachable("/run/x", EPROTOTYPE).c_str());
}
