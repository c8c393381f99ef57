// SPDX-License-Identifier: Apache-2.0
// Contexts and ticket keys are shared by all workers.
#include <atomic>
#include <thread>

#include "net/tls_ticket_keys.h"
#include "tls_pair.h"

namespace weir::net {
namespace {

TEST(TlsThreadTest, WorkersShareContextsWhileKeysRotate) {
  TlsLab lab;
  const auto server = lab.server(lab.server_config(ClientAuth::kRequired));
  ClusterTlsConfig config = lab.client_config();
  config.client_cert =
      lab.write("client", lab.client_ca.issue({.cn = "client", .for_client = true}));
  const auto client = lab.client(config);
  std::atomic<int> done{0};
  std::atomic<bool> stop{false};
  std::thread rotating([&] {
    TimePoint now = std::chrono::steady_clock::now();
    while (!stop.load()) {
      now += std::chrono::hours(9);
      lab.process_keys->rotate(now);
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      TlsSessionCache cache;
      for (int n = 0; n < 10; ++n) {
        TlsPair pair;
        if (!pair.shake(*server, *client, cache)) return;
        pair.say(pair.server, "x");
        pair.drain(pair.client);
        ++done;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  stop = true;
  rotating.join();
  EXPECT_EQ(done.load(), 30);
}

}  // namespace
}  // namespace weir::net
