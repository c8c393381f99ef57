// SPDX-License-Identifier: Apache-2.0
// One thread's event loop: libuv for waiting, wake-ups and timers' clock; the socket set, the timer
// wheel, the mailbox and the graveyard hang on it. The only class that owns libuv handles; it
// closes them all and checks that the loop ends empty.
//
// Thread: everything belongs to the thread in run(), but post() and stop(), which any thread may
// call.
#pragma once

#include <weir/clock.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/intrusive_list.h"
#include "net/socket_set.h"
#include "net/timer_wheel.h"

typedef struct uv_loop_s uv_loop_t;

namespace weir::net {

struct GraveTag;

/// What may have to go away from inside its own call stack. Before retire() it must be inert: out
/// of its lists, timers cancelled, sockets closed; its destructor calls nobody back.
class Retirable : public base::ListLink<GraveTag> {
 public:
  /// Frees the memory; called by the loop alone. Objects of a slab go back there instead.
  virtual void dispose() { delete this; }

 protected:
  virtual ~Retirable() = default;
};

class Loop {
 public:
  using Task = std::move_only_function<void()>;

  explicit Loop(const Clock& clock);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  /// Requires: run() has returned or was never called.
  ~Loop();

  /// Turns until stop(). May be called again after it returned.
  void run();
  /// Ends run() after the turn under way. Any thread.
  void stop();
  /// Runs `task` on the loop's thread, in the order of posting. Any thread. Tasks posted after the
  /// last turn are destroyed unrun with the loop, so a task carries ids, not borrowed pointers.
  void post(Task task);

  SocketSet& sockets() { return sockets_; }
  const Clock& clock() const { return clock_; }
  /// The time at the start of this turn: for deadlines. Measured phases read the clock.
  TimePoint now() const {
    if (slept_) refresh_time();
    return now_;
  }
  WallTime wall() const {
    if (slept_) refresh_time();
    return wall_;
  }

  void arm(Timer& timer, Duration after) { arm_at(timer, now() + after); }
  void arm_at(Timer& timer, TimePoint deadline);

  /// Frees `dead` once the calls now under way have returned. Takes ownership.
  void retire(Retirable& dead) { graveyard_.push_back(dead); }

  /// Called at the end of each turn, before the loop sleeps (one hook: whoever owns the loop).
  void set_turn_hook(Task hook) { turn_hook_ = std::move(hook); }

  /// For the third parties of net/ alone (resolver, admin pipes).
  uv_loop_t* uv();

 private:
  struct Handles;

  void on_sockets();
  void on_timer();
  void on_mail();
  void end_turn();
  void refresh_time() const;
  void schedule_timer();

  const Clock& clock_;
  mutable TimePoint now_{};
  mutable WallTime wall_{};
  mutable bool slept_ = false;  ///< Since the time was last read.
  TimePoint armed_for_ = TimePoint::max();
  std::unique_ptr<Handles> handles_;
  TimerWheel wheel_;
  SocketSet sockets_;
  base::IntrusiveList<Retirable, GraveTag> graveyard_;
  Task turn_hook_;

  std::mutex mutex_;  ///< Guards mail_.
  std::vector<Task> mail_;
  std::atomic<bool> has_mail_{false};
  std::atomic<bool> stopping_{false};
};

}  // namespace weir::net
