// SPDX-License-Identifier: Apache-2.0
#include "app/listeners.h"

#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "config/values.h"
#include "net/address.h"
#include "net/socket.h"

namespace weir::app {
namespace {

using ::testing::HasSubstr;

Address address(const std::string& text) { return config::parse_address(text).value(); }

Config config_with(std::vector<std::pair<std::string, std::string>> listeners) {
  Config config;
  for (const auto& [name, at] : listeners) {
    ListenerConfig& listener = config.listeners.emplace_back();
    listener.name = name;
    listener.address = address(at);
  }
  return config;
}

bool accepts(const Address& at) {
  const net::SocketAddress to(at);
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(fd, to.raw(), to.length()) == 0;
  ::close(fd);
  return connected;
}

class ListenersTest : public ::testing::Test {
 protected:
  ListenersTest() {
    char name[] = "/tmp/weir-listeners-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~ListenersTest() override { std::filesystem::remove_all(directory_); }

  void apply(const Config& config) {
    auto set = listeners_.prepare(config);
    ASSERT_TRUE(set) << set.error();
    listeners_.commit(std::move(*set), config);
    listeners_.close_retired();
  }
  const proxy::SharedListener& listener(size_t i) { return *listeners_.current()[i].shared; }

  std::string directory_;
  Listeners listeners_{2, 10'000};
};

TEST_F(ListenersTest, PortZeroBecomesOnePortForAllWorkers) {
  apply(config_with({{"a", "127.0.0.1:0"}}));
  ASSERT_EQ(listener(0).fds.size(), 2U);
  EXPECT_NE(listener(0).fds[0], listener(0).fds[1]);
  EXPECT_NE(listener(0).address.port, 0);
  EXPECT_EQ(listener(0).address.text, "127.0.0.1:" + std::to_string(listener(0).address.port));
  EXPECT_EQ(bound_address(listener(0).fds[1], address("127.0.0.1:0")), listener(0).address);
  EXPECT_TRUE(accepts(listener(0).address));
}

TEST_F(ListenersTest, AUnixSocketIsSharedAndRemovedAtTheEnd) {
  const std::string path = directory_ + "/a.sock";
  {
    Listeners listeners(2, 10'000);
    const Config config = config_with({{"a", "unix:" + path}});
    auto set = listeners.prepare(config);
    ASSERT_TRUE(set) << set.error();
    EXPECT_EQ((*set)[0].shared->fds[0], (*set)[0].shared->fds[1]);
    listeners.commit(std::move(*set), config);
    EXPECT_TRUE(accepts(address("unix:" + path)));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ListenersTest, TheSameNameAndAddressKeepTheirSockets) {
  apply(config_with({{"a", "127.0.0.1:0"}}));
  const auto before = listeners_.current()[0].shared;
  apply(config_with({{"b", "127.0.0.1:0"}, {"a", "127.0.0.1:0"}}));
  EXPECT_EQ(listeners_.current()[1].shared, before);
  EXPECT_TRUE(accepts(before->address));
}

TEST_F(ListenersTest, AnotherNameAtAnAddressTakesItsSocketsOver) {
  const std::string at = "unix:" + directory_ + "/a.sock";
  apply(config_with({{"old", at}}));
  const auto old = listeners_.current()[0].shared;
  apply(config_with({{"new", at}}));
  EXPECT_EQ(listener(0).name, "new");
  EXPECT_TRUE(old->fds.empty());
  EXPECT_TRUE(accepts(address(at)));
}

TEST_F(ListenersTest, WhatAConfigDropsIsClosedOnceNobodyAccepts) {
  const std::string at = "unix:" + directory_ + "/a.sock";
  apply(config_with({{"a", at}, {"b", "127.0.0.1:0"}}));
  const Config less = config_with({{"b", "127.0.0.1:0"}});
  auto set = listeners_.prepare(less);
  ASSERT_TRUE(set);
  listeners_.commit(std::move(*set), less);
  EXPECT_TRUE(accepts(address(at)));
  listeners_.close_retired();
  EXPECT_FALSE(accepts(address(at)));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/a.sock"));
}

TEST_F(ListenersTest, AnAddressInUseIsRefusedByNameAndNothingChanges) {
  apply(config_with({{"a", "127.0.0.1:0"}}));
  Listeners others(2, 10'000);
  const Config taken =
      config_with({{"fine", "unix:" + directory_ + "/f.sock"}, {"edge", listener(0).address.text}});
  const auto set = others.prepare(taken);
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error(), HasSubstr("listener edge cannot listen on " + listener(0).address.text));
  EXPECT_THAT(set.error(), HasSubstr("ss -ltnp"));
  EXPECT_TRUE(others.current().empty());
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/f.sock"));
}

TEST_F(ListenersTest, TwoListenersMayNotShareAPortUnknowingly) {
  apply(config_with({{"a", "127.0.0.1:0"}}));
  const std::string port = std::to_string(listener(0).address.port);
  // SO_REUSEPORT alone would allow it.
  Listeners second(1, 10'000);
  EXPECT_FALSE(second.prepare(config_with({{"b", "127.0.0.1:" + port}})));
}

TEST_F(ListenersTest, AMissingDirectoryIsNamed) {
  const auto set = listeners_.prepare(config_with({{"a", "unix:" + directory_ + "/no/a.sock"}}));
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error(), HasSubstr("mkdir -p " + directory_ + "/no"));
}

TEST_F(ListenersTest, LimitsFollowTheConfigAndAutoIsWorkedOut) {
  Config config = config_with({{"a", "127.0.0.1:0"}});
  apply(config);
  EXPECT_EQ(listener(0).max_connections.load(), listeners_.automatic_limit(config));
  config.listeners[0].limits.max_connections = 7;
  apply(config);
  EXPECT_EQ(listener(0).max_connections.load(), 7U);
}

TEST(ListenError, SaysWhatToDo) {
  EXPECT_THAT(listen_error("listener a", address("127.0.0.1:80"), EACCES),
              HasSubstr("CAP_NET_BIND_SERVICE"));
  EXPECT_THAT(listen_error("listener a", address("unix:/run/x/a.sock"), EACCES),
              HasSubstr("write to /run/x"));
  EXPECT_THAT(listen_error("listener a", address("10.9.9.9:80"), EADDRNOTAVAIL),
              HasSubstr("ip addr"));
}

}  // namespace
}  // namespace weir::app
