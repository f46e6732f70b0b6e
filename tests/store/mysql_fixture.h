// A MariaDB server for the tests of the store, as tests/support/with-mariadb gives it, and the table in it.
#pragma once

#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <event2/event.h>
#include <mysql.h>

#include "store/mono.h"
#include "store/mysql_store.h"
#include "tests/store/fixture.h"

namespace pua::test {

class MysqlFixture {
 public:
  // Is there a server to test with? Says once that there is none.
  static bool there() {
    static const bool found = [] {
      if (getenv("PUA_TEST_MYSQL")) return true;
      printf("skipped: MariaDB (tests/support/with-mariadb gives a server)\n");
      return false;
    }();
    return found;
  }

  // An empty table, as it was made.
  MysqlFixture() : base(event_base_new()) {
    if (sql("DELETE FROM `pua`; DELETE FROM `pua_meta`; REPLACE INTO `version` VALUES ('pua', 12)").starts_with('!')) create();
  }
  void create() {
    std::ifstream file("db/mysql/pua-create.sql");
    sql("DROP TABLE IF EXISTS `pua`, `pua_meta`, `version`");
    sql(std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>()));
  }
  ~MysqlFixture() { event_base_free(base); }

  MysqlOptions options() {
    MysqlOptions o;
    o.url = std::move(*parse_db_url(getenv("PUA_TEST_MYSQL")));
    return o;
  }
  StoreLoop loop() {
    return {base, nullptr, [] { return steady_ms(); }, [](const std::function<void()>& callback) { callback(); }};
  }
  Result<std::unique_ptr<MysqlStore>> try_open(const MysqlOptions& o) { return MysqlStore::open(o, loop(), log.log); }
  std::unique_ptr<MysqlStore> open() {
    auto s = try_open(options());
    return s ? std::move(*s) : nullptr;
  }

  // Runs statements over a connection of its own, as the user of the tests or as root; the first column of the first row of
  // the last. "!...": an error.
  std::string sql(const std::string& text) { return run(user_, false, text); }
  std::string root(const std::string& text) { return run(root_, true, text); }

  TestLog log;
  event_base* base;

 private:
  struct Close {
    void operator()(MYSQL* m) const { mysql_close(m); }
  };
  using Session = std::unique_ptr<MYSQL, Close>;

  static std::string run(Session& session, bool root, const std::string& text) {
    if (!session) {
      DbUrl u = *parse_db_url(getenv("PUA_TEST_MYSQL"));
      session.reset(mysql_init(nullptr));
      MYSQL* m = session.get();
      const char* socket = getenv("PUA_TEST_MYSQL_SOCKET");
      if (!(root ? mysql_real_connect(m, "localhost", "root", "", u.database.c_str(), 0, socket, CLIENT_MULTI_STATEMENTS)
                 : mysql_real_connect(m, u.hosts[0].name.c_str(), u.user.c_str(), u.password.c_str(), u.database.c_str(),
                                      u.hosts[0].port, nullptr, CLIENT_MULTI_STATEMENTS)))
        return std::string("!") + mysql_error(m);
    }
    MYSQL* m = session.get();
    std::string value;
    if (mysql_real_query(m, text.data(), text.size()) != 0) return std::string("!") + mysql_error(m);
    do {
      if (MYSQL_RES* r = mysql_store_result(m)) {
        MYSQL_ROW row = mysql_fetch_row(r);
        value = row && row[0] ? std::string(row[0], mysql_fetch_lengths(r)[0]) : "";
        mysql_free_result(r);
      }
      if (mysql_errno(m) != 0) return std::string("!") + mysql_error(m);
    } while (mysql_next_result(m) == 0);
    return mysql_errno(m) ? std::string("!") + mysql_error(m) : value;
  }

  Session user_, root_;
};

}  // namespace pua::test
