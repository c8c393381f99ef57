// SPDX-License-Identifier: Apache-2.0
// Workers as threads: a cap of N holds with one, two and eight of them, everybody who waits is
// served, and all comes back to zero.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "policy/places.h"

namespace weir::policy {
namespace {

constexpr LimitKey kKey{0x1234'5678'9abc'def0, 7};
constexpr std::uint32_t kMax = 3;
constexpr int kRequests = 3'000;
constexpr TimePoint kNow{std::chrono::seconds(1'000)};

class ThreadOffice final : public PlaceOffice {
 public:
  explicit ThreadOffice(std::uint32_t workers) : boxes_(workers) {}
  std::uint32_t workers() const override { return static_cast<std::uint32_t>(boxes_.size()); }
  void post(std::uint32_t worker, PlaceLetter letter) override {
    ++posted_;
    std::lock_guard lock(boxes_[worker].mutex);
    boxes_[worker].letters.push_back(std::move(letter));
  }
  void deliver(PlaceDesk& desk, std::uint32_t worker) {
    std::deque<PlaceLetter> letters;
    {
      std::lock_guard lock(boxes_[worker].mutex);
      letters.swap(boxes_[worker].letters);
    }
    for (PlaceLetter& letter : letters) {
      desk.deliver(std::move(letter), kNow);
      --posted_;
    }
  }
  bool quiet() const { return posted_ == 0; }

 private:
  struct Box {
    std::mutex mutex;
    std::deque<PlaceLetter> letters;
  };
  std::vector<Box> boxes_;
  std::atomic<int> posted_{0};
};

struct Shared {
  explicit Shared(std::uint32_t workers) : office(workers) {}
  ThreadOffice office;
  std::shared_ptr<Places> places = std::make_shared<Places>(100, office);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> served{0};
  std::atomic<std::uint32_t> working{0};
};

class Request final : public PlaceWaiter {
 public:
  explicit Request(Shared& shared) : shared_(shared) {}
  ~Request() override { leave(); }
  void on_place(PlacePermit permit) override {
    permit_ = std::move(permit);
    const int now = ++shared_.inside;
    int most = shared_.most;
    while (now > most && !shared_.most.compare_exchange_weak(most, now)) {
    }
    ++shared_.served;
  }
  void on_dropped(DropCause) override { ADD_FAILURE() << "nobody waits too long here"; }
  void leave() {
    if (!permit_) return;
    --shared_.inside;
    permit_.release();
  }
  bool holds() const { return static_cast<bool>(permit_); }

 private:
  Shared& shared_;
  PlacePermit permit_;
};

void ask(Shared& shared, PlaceDesk& desk, Request& request, std::uint64_t tenant) {
  const PlaceAsk what{kKey, {kMax, 10'000, 1 << 20}, {tenant, tenant}, 1,
                      0,    std::chrono::seconds(1)};
  PlaceAnswer answer = desk.ask(*shared.places, what, request, kNow);
  ASSERT_TRUE(answer.result == Take::kTaken || answer.result == Take::kQueued);
  if (answer.permit) request.on_place(std::move(answer.permit));
}

// Some leave while they wait; all others are served in the end.
void work(Shared& shared, std::uint32_t worker, std::atomic<int>& left) {
  PlaceDesk desk(shared.office, worker);
  base::Rng rng(worker + 1);
  std::deque<std::unique_ptr<Request>> mine;
  int asked = 0;
  while (asked < kRequests || !mine.empty()) {
    if (asked < kRequests && mine.size() < 8) {
      ++asked;
      mine.push_back(std::make_unique<Request>(shared));
      ask(shared, desk, *mine.back(), worker + 1);
    }
    shared.office.deliver(desk, worker);
    std::erase_if(mine, [&](const auto& request) {
      if (request->holds()) return rng.below(2) == 0;
      if (rng.below(50) != 0) return false;
      ++left;
      return true;
    });
    std::this_thread::yield();
  }
  --shared.working;
  while (shared.working > 0 || !shared.office.quiet()) {
    shared.office.deliver(desk, worker);
    std::this_thread::yield();
  }
}

class PlacesThreads : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Threads, PlacesThreads, testing::Values(1U, 2U, 8U));

TEST_P(PlacesThreads, TheCapHoldsAndEverybodyIsServed) {
  const std::uint32_t workers = GetParam();
  Shared shared(workers);
  shared.working = workers;
  std::atomic<int> left{0};
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < workers; ++i) {
    threads.emplace_back([&, i] { work(shared, i, left); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(shared.most, static_cast<int>(kMax));
  EXPECT_EQ(shared.served + left, kRequests * static_cast<int>(workers));
  EXPECT_EQ(shared.places->table().load(kKey).places, 0U);
  EXPECT_EQ(shared.places->table().load(kKey).waiting, 0U);
}

}  // namespace
}  // namespace weir::policy
