// SPDX-License-Identifier: Apache-2.0
// The bytes that the process may hold for its requests, and how near it is to them. One budget for
// all workers; each worker has a meter that keeps what it charges to itself until it is worth a
// locked instruction. So the shared sum is off by at most a batch for each worker: error_bound().
//
// The stage follows the charge itself: whoever pushes the sum over a line raises it at once.
// It is lowered by settle(), five points below its line and not before a second of that.
//
// Thread: a MemoryMeter belongs to its worker; the budget is everybody's. The budget outlives its
// meters, the observer the budget.
#pragma once

#include <weir/clock.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace weir::base {

/// What goes while memory is short; each stage includes the ones before it.
enum class MemoryStage : uint8_t {
  kCalm,
  kDropExtras,      ///< 70 %: copies kept for retries, and whatever else is not the request itself.
  kShrink,          ///< 80 %: idle connections, idle time-outs, windows and reads.
  kRefuseBodies,    ///< 90 %: new bodies of more than 64 KiB, but for high priorities.
  kRefuseRequests,  ///< 95 %: new requests below priority 1.
  kReset,           ///< 98 %: the largest exchanges of tenants over their share.
};
inline constexpr size_t kMemoryStages = 6;

class MemoryBudget {
 public:
  /// Told on whatever thread has changed the stage; never under a lock.
  class Observer {
   public:
    virtual void on_memory_stage(MemoryStage before, MemoryStage now) = 0;

   protected:
    ~Observer() = default;
  };

  /// Percent of the budget from which on a stage is in force.
  static constexpr std::array<int64_t, kMemoryStages> kLines{0, 70, 80, 90, 95, 98};
  static constexpr int64_t kHysteresis = 5;
  static constexpr Duration kCalmFor = std::chrono::seconds(1);

  /// `workers`: how many meters there are.
  explicit MemoryBudget(uint32_t workers, Observer* observer = nullptr)
      : workers_(workers), observer_(observer) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  /// 0: there is none. At start and when a reload changes it; what is held stays.
  void set_limit(int64_t bytes);
  int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  /// What all meters have pushed.
  int64_t charged() const { return charged_.load(std::memory_order_relaxed); }
  MemoryStage stage() const { return stage_.load(std::memory_order_relaxed); }
  /// What a meter keeps to itself at most.
  int64_t batch() const { return batch_.load(std::memory_order_relaxed); }
  /// How far charged() may be from the truth.
  int64_t error_bound() const { return batch() * workers_; }

  /// From a meter; may raise the stage.
  void add(int64_t bytes);
  /// Lowers the stage when its time has come. Called now and then by every worker.
  void settle(TimePoint now);

 private:
  MemoryStage stage_at(int64_t charged) const;
  int64_t points(int64_t percent) const { return limit() / 100 * percent; }
  void move(MemoryStage before, MemoryStage now);

  const uint32_t workers_;
  Observer* const observer_;
  std::atomic<int64_t> limit_{0};
  std::atomic<int64_t> batch_{std::numeric_limits<int64_t>::max() / 4};
  std::atomic<MemoryStage> stage_{MemoryStage::kCalm};
  std::atomic<int64_t> below_since_{0};  ///< Steady clock, ns; 0: not below.
  alignas(64) std::atomic<int64_t> charged_{0};
};

/// One worker's side of the budget.
class MemoryMeter {
 public:
  /// Null: counts nothing, refuses nothing.
  explicit MemoryMeter(MemoryBudget* budget = nullptr) : budget_(budget) {}
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  void add(int64_t bytes) {
    drift_ += bytes;
    if (drift_ >= batch_ || drift_ <= -batch_) push();
  }
  /// What this worker has kept to itself becomes everybody's.
  void push();
  MemoryStage stage() const { return budget_ == nullptr ? MemoryStage::kCalm : budget_->stage(); }
  /// Whether `bytes` more stay within the budget, as far as this worker knows.
  bool fits(int64_t bytes) const;
  MemoryBudget* budget() const { return budget_; }

 private:
  MemoryBudget* const budget_;
  int64_t drift_ = 0;
  int64_t batch_ = 0;  ///< 0 until the first push, which learns it.
};

}  // namespace weir::base
