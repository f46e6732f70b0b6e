// resolv.conf and hosts: what is read of them, and that a change is seen.
#include "sip/dns_files.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(DnsFiles) {
  std::string folder;
  void setup() override {
    char path[] = "/tmp/dns-files-XXXXXX";
    folder = mkdtemp(path);
  }
  void teardown() override { std::filesystem::remove_all(folder); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream f(folder + "/" + name, std::ios::trunc);
    f << text;
  }
  std::string servers(const char* text) {
    write("conf", text);
    return DnsFiles(folder + "/conf", folder + "/none").servers_text();
  }
  std::string hosts_of(const DnsFiles& files, const char* name) {
    const auto* list = files.host(name);
    return list ? std::to_string(list->size()) : "none";
  }
};

TEST(DnsFiles, name_servers_of_a_resolv_conf) {
  STRCMP_EQUAL("192.0.2.53, 2001:db8::53",
               servers("# comment\nsearch example.com\n nameserver\t192.0.2.53 ; more\nnameserver 2001:db8::53\n").c_str());
  STRCMP_EQUAL("192.0.2.53", servers("nameserver 192.0.2.53").c_str());
  STRCMP_EQUAL("192.0.2.53", servers("nameserver 192.0.2.53\r\noptions timeout:1\r\n").c_str());
}

TEST(DnsFiles, a_port_line_is_for_all_of_them) {
  STRCMP_EQUAL("192.0.2.53:5353, [2001:db8::53]:5353",
               servers("nameserver 192.0.2.53\nport 5353\nnameserver 2001:db8::53\n").c_str());
  STRCMP_EQUAL("192.0.2.53", servers("nameserver 192.0.2.53\nport 0\nport 70000\nport x\nport\n").c_str());
}

TEST(DnsFiles, without_a_usable_line_the_name_server_is_this_machine) {
  STRCMP_EQUAL("127.0.0.1", servers("").c_str());
  STRCMP_EQUAL("127.0.0.1", servers("nameserver\nnameserver dns.example\nnameserver fe80::1%eth0\n").c_str());
  STRCMP_EQUAL("127.0.0.1", DnsFiles(folder + "/no-such-file", folder + "/none").servers_text().c_str());
  STRCMP_EQUAL("127.0.0.1", DnsFiles(folder, folder).servers_text().c_str());  // a folder
}

TEST(DnsFiles, four_name_servers_are_enough) {
  STRCMP_EQUAL(
      "192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4",
      servers("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nnameserver 192.0.2.5\n")
          .c_str());
}

TEST(DnsFiles, hosts_by_any_of_their_names) {
  write("hosts",
        "192.0.2.9 Gate.example gate # the proxy\n2001:db8::9\tgate.example\n0.0.0.0 blocked.example\nnonsense\n192.0.2.1 a;b\n");
  DnsFiles files(folder + "/none", folder + "/hosts");
  STRCMP_EQUAL("2", hosts_of(files, "gate.example").c_str());
  STRCMP_EQUAL("1", hosts_of(files, "gate").c_str());
  STRCMP_EQUAL("none", hosts_of(files, "blocked.example").c_str());
  STRCMP_EQUAL("none", hosts_of(files, "a;b").c_str());
}

TEST(DnsFiles, a_hosts_file_without_end_is_cut) {
  std::string text;
  for (size_t i = 0; i < kMostHosts + 10; i++) text += "192.0.2.1 h" + std::to_string(i) + "\n";
  for (size_t i = 0; i < kMostHostAddresses + 10; i++) text += "192.0.2." + std::to_string(i) + " h0\n";
  Hosts hosts = read_hosts(text);
  LONGS_EQUAL(kMostHosts, hosts.size());
  LONGS_EQUAL(kMostHostAddresses, hosts["h0"].size());
}

TEST(DnsFiles, a_change_is_seen_once) {
  write("conf", "nameserver 192.0.2.1\n");
  DnsFiles files(folder + "/conf", folder + "/hosts");
  CHECK_FALSE(files.look());
  write("conf", "nameserver 192.0.2.22\n");
  CHECK_TRUE(files.look());
  STRCMP_EQUAL("192.0.2.22", files.servers_text().c_str());
  CHECK_FALSE(files.look());
}

TEST(DnsFiles, another_file_of_the_same_size_and_time_is_a_change) {
  write("conf", "nameserver 192.0.2.1\n");
  DnsFiles files(folder + "/conf", folder + "/hosts");
  auto time = std::filesystem::last_write_time(folder + "/conf");
  write("new", "nameserver 192.0.2.2\n");
  std::filesystem::last_write_time(folder + "/new", time);
  std::filesystem::rename(folder + "/new", folder + "/conf");
  CHECK_TRUE(files.look());
  STRCMP_EQUAL("192.0.2.2", files.servers_text().c_str());
}

TEST(DnsFiles, files_that_come_and_go_are_changes) {
  DnsFiles files(folder + "/conf", folder + "/hosts");
  write("conf", "nameserver 192.0.2.1\n");
  CHECK_TRUE(files.look());
  write("hosts", "192.0.2.9 gate.example\n");
  CHECK_TRUE(files.look());
  STRCMP_EQUAL("1", hosts_of(files, "gate.example").c_str());
  std::filesystem::remove(folder + "/conf");
  CHECK_TRUE(files.look());
  STRCMP_EQUAL("127.0.0.1", files.servers_text().c_str());
  CHECK_TRUE(files.look(true));
}
