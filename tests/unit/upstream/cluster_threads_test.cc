// SPDX-License-Identifier: Apache-2.0
// What workers share, under as many threads as would find a race: limits are exact, budgets are
// exact, places reach whoever waits, and everything comes back to zero.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <deque>
#include <functional>
#include <optional>
#include <thread>

#include "fixtures.h"

namespace weir::upstream {
namespace {

constexpr unsigned kThreads = 4;

void on_threads(const std::function<void(unsigned)>& body) {
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

/// A loop a thread, made and destroyed by the test's own: libuv closes descriptors behind the back
/// of the thread sanitizer, which would then see two threads at one of the same number.
class Loops {
 public:
  Loops() {
    for (unsigned i = 0; i < kThreads; ++i) loops_.emplace_back(clock_);
  }
  net::Loop& operator[](unsigned i) { return loops_[i]; }

 private:
  SystemClock clock_;
  std::deque<net::Loop> loops_;
};

/// Counts how many hold something at once, and the most there ever were.
class Occupancy {
 public:
  void enter() {
    const int now = ++now_;
    int most = most_.load();
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
  }
  void leave() { --now_; }
  int most() const { return most_; }

 private:
  std::atomic<int> now_{0};
  std::atomic<int> most_{0};
};

TEST(ClusterThreadsTest, NeverMoreRequestsThanTheLimitAndNoneLost) {
  ClusterConfig config;
  config.resource_limits.max_requests = 3;
  const auto cluster = make_cluster(config);
  Occupancy inside;
  on_threads([&](unsigned) {
    for (int i = 0; i < 20'000; ++i) {
      if (!cluster->try_acquire_request()) continue;
      inside.enter();
      inside.leave();
      cluster->release_request();
    }
  });
  EXPECT_LE(inside.most(), 3);
  EXPECT_EQ(cluster->requests(), 0U);
}

TEST(ClusterThreadsTest, TheRetryBudgetIsGivenOutExactly) {
  const auto cluster = make_cluster();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(cluster->try_acquire_request());
  std::atomic<int> got{0};
  on_threads([&](unsigned) {
    for (int i = 0; i < 100; ++i) {
      if (cluster->try_acquire_retry({Share::percent(20), 3})) ++got;
    }
  });
  EXPECT_EQ(got.load(), 20);
  for (int i = 0; i < 20; ++i) cluster->release_retry();
  Occupancy inside;
  on_threads([&](unsigned) {
    for (int i = 0; i < 5'000; ++i) {
      if (!cluster->try_acquire_retry({Share::percent(0), 2})) continue;
      inside.enter();
      inside.leave();
      cluster->release_retry();
    }
  });
  EXPECT_LE(inside.most(), 2);
  EXPECT_EQ(cluster->retries(), 0U);
}

/// One worker: clients that lease, use for a turn, and give back or close, over and over.
class Worker {
 public:
  Worker(net::Loop& loop, std::shared_ptr<Cluster> cluster, Occupancy& places, unsigned seed)
      : loop_(loop), rng_(seed), places_(places), view_(loop, std::move(cluster), seed) {
    for (int i = 0; i < kClients; ++i) clients_.emplace_back(*this);
  }

  void run() {
    for (Client& client : clients_) client.begin();
    loop_.run();
    view_.close_idle();
  }

 private:
  static constexpr int kClients = 3;
  static constexpr int kRounds = 300;

  class Connection final : public PoolEntry, public net::Retirable {
   public:
    Connection(ConnectionPermit permit, Worker& worker)
        : PoolEntry(std::move(permit)), worker_(worker) {
      worker_.places_.enter();
    }
    void close() {
      worker_.places_.leave();
      leave_pool();
      worker_.loop_.retire(*this);
    }

   private:
    void close_idle() override {
      worker_.places_.leave();
      worker_.loop_.retire(*this);
    }
    Worker& worker_;
  };

  class Client final : public PlaceWaiter {
   public:
    explicit Client(Worker& worker) : worker_(worker) {}
    void begin() {
      request_ = std::move(*worker_.view_.admit());
      hold_ = std::move(*worker_.view_.pick());
      on_place();
    }
    void on_place() override {
      auto offer = worker_.view_.lease(*hold_, *this);
      ASSERT_TRUE(offer.has_value());
      if (offer->waits()) return;
      connection_ = offer->reused != nullptr ? static_cast<Connection*>(offer->reused)
                                             : new Connection(std::move(offer->connect), worker_);
      worker_.loop_.post([this] { finish(); });
    }

   private:
    void finish() {
      if (worker_.rng_.below(3) == 0) {
        connection_->close();
      } else {
        worker_.view_.give_back(*connection_);
      }
      hold_.release();
      request_.release();
      if (++rounds_ < kRounds) {
        begin();
      } else if (++worker_.finished_ == kClients) {
        worker_.loop_.stop();
      }
    }

    Worker& worker_;
    RequestPermit request_;
    EndpointHold hold_;
    Connection* connection_ = nullptr;
    int rounds_ = 0;
  };

  net::Loop& loop_;
  base::Rng rng_;
  Occupancy& places_;
  WorkerCluster view_;
  std::deque<Client> clients_;
  int finished_ = 0;
};

// Fewer places than clients: each round needs a hand-over from somewhere, so a wake-up that got
// lost would hang the test.
TEST(ClusterThreadsTest, PlacesReachWhoeverWaitsOnWhicheverWorker) {
  ClusterConfig config;
  config.resource_limits = {2, 1'000, 1'000};
  const auto cluster = make_cluster(config, {1, 1, 1});
  Occupancy places;
  Loops loops;
  on_threads([&](unsigned i) { Worker(loops[i], cluster, places, i + 1).run(); });
  EXPECT_LE(places.most(), 2);
  EXPECT_EQ(cluster->connections(), 0U);
  EXPECT_EQ(cluster->pending(), 0U);
  EXPECT_EQ(cluster->idle(), 0U);
  EXPECT_EQ(cluster->requests(), 0U);
  std::uint64_t requests = 0;
  for (const auto& stats : cluster->stats()) requests += stats->requests.value();
  EXPECT_EQ(requests, kThreads * 3U * 300U);
}

TEST(ClusterThreadsTest, ReloadsAndScrapesGoOnWhileWorkersPick) {
  const auto cluster = make_cluster({}, {1, 1, 1});
  std::atomic<unsigned> left{kThreads - 1};
  Loops loops;
  on_threads([&](unsigned i) {
    if (i == 0) {
      for (std::uint32_t n = 0; left > 0; ++n) {
        const auto previous = cluster->published().endpoints;
        const std::vector<std::uint32_t> weights(n % 5 + 1, n % 2 + 1);
        cluster->publish(EndpointSet::build(
            EndpointSet::members_from(specs(weights), previous.get()), BalancePolicy::kRoundRobin));
        for (const auto& stats : cluster->stats()) (void)stats->requests.value();
      }
      return;
    }
    {
      WorkerCluster view(loops[i], cluster, i);
      for (int n = 0; n < 3'000; ++n) {
        const auto request = view.admit();
        const auto hold = view.pick();
        ASSERT_TRUE(request.has_value() && hold.has_value());
        ASSERT_NE((*hold)->address().raw(), nullptr);
      }
    }
    --left;
  });
  EXPECT_EQ(cluster->requests(), 0U);
  for (const auto& member : cluster->published().endpoints->members()) {
    EXPECT_EQ(member.endpoint->active_requests.load(), 0U);
  }
}

}  // namespace
}  // namespace weir::upstream
