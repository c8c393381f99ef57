// SPDX-License-Identifier: Apache-2.0
#include "net/loop.h"

#include <uv.h>

#include <utility>

#include "base/check.h"

namespace weir::net {

struct Loop::Handles {
  uv_loop_t loop;
  uv_poll_t sockets;
  uv_timer_t timer;
  uv_async_t mail;
  uv_prepare_t prepare;
  uv_idle_t busy;  ///< Active while work is pending, so that the loop does not sleep.
};

Loop::Loop(const Clock& clock)
    : clock_(clock), handles_(std::make_unique<Handles>()), wheel_(clock.now()) {
  Handles& h = *handles_;
  CHECK(uv_loop_init(&h.loop) == 0);
  h.loop.data = this;
  CHECK(uv_poll_init(&h.loop, &h.sockets, sockets_.fd()) == 0);
  CHECK(uv_timer_init(&h.loop, &h.timer) == 0);
  CHECK(uv_prepare_init(&h.loop, &h.prepare) == 0);
  CHECK(uv_idle_init(&h.loop, &h.busy) == 0);
  CHECK(uv_async_init(&h.loop, &h.mail, [](uv_async_t* handle) {
          static_cast<Loop*>(handle->loop->data)->on_mail();
        }) == 0);
  uv_poll_start(&h.sockets, UV_READABLE, [](uv_poll_t* handle, int, int) {
    static_cast<Loop*>(handle->loop->data)->on_sockets();
  });
  uv_prepare_start(
      &h.prepare, [](uv_prepare_t* handle) { static_cast<Loop*>(handle->loop->data)->end_turn(); });
  refresh_time();
}

Loop::~Loop() {
  while (Retirable* dead = graveyard_.pop_front()) dead->dispose();
  auto close = [](auto* handle) { uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr); };
  Handles& h = *handles_;
  close(&h.sockets);
  close(&h.timer);
  close(&h.mail);
  close(&h.prepare);
  close(&h.busy);
  while (uv_run(&h.loop, UV_RUN_DEFAULT) != 0) {
  }
  // A handle that somebody forgot to close would make this fail: no leak goes unnoticed.
  CHECK(uv_loop_close(&h.loop) == 0);
}

uv_loop_t* Loop::uv() { return &handles_->loop; }

void Loop::run() {
  refresh_time();
  while (!stopping_.load(std::memory_order_relaxed)) uv_run(&handles_->loop, UV_RUN_ONCE);
  stopping_.store(false, std::memory_order_relaxed);
  end_turn();
}

void Loop::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  uv_async_send(&handles_->mail);
}

void Loop::post(Task task) {
  {
    std::lock_guard lock(mutex_);
    mail_.push_back(std::move(task));
    has_mail_.store(true, std::memory_order_release);
  }
  uv_async_send(&handles_->mail);
}

void Loop::refresh_time() const {
  now_ = clock_.now();
  wall_ = clock_.wall();
  slept_ = false;
}

void Loop::arm_at(Timer& timer, TimePoint deadline) {
  wheel_.arm(timer, deadline);
  if (deadline < armed_for_) schedule_timer();
}

void Loop::on_sockets() {
  refresh_time();
  sockets_.collect();
  // What was posted before an event is seen before it, whichever of the two descriptors the kernel
  // names first: after a drain or a reload has been announced, no answer may still follow the old.
  if (has_mail_.load(std::memory_order_acquire)) on_mail();
  sockets_.handle();
}

void Loop::on_timer() {
  refresh_time();
  armed_for_ = TimePoint::max();
  wheel_.advance(now_);
}

void Loop::on_mail() {
  refresh_time();
  std::vector<Task> mail;
  {
    std::lock_guard lock(mutex_);
    mail.swap(mail_);
    has_mail_.store(false, std::memory_order_relaxed);
  }
  for (Task& task : mail) task();
}

// Runs before each sleep: the dead are freed, woken sockets keep the loop from sleeping, and the
// next timer is set. Timers fire before sockets in libuv's turn, so their victims are freed here as
// well.
void Loop::end_turn() {
  if (sockets_.has_woken()) {
    uv_idle_start(&handles_->busy, [](uv_idle_t*) {});
    on_sockets();
  } else {
    uv_idle_stop(&handles_->busy);
  }
  if (turn_hook_) turn_hook_();
  if (sockets_.has_woken()) uv_idle_start(&handles_->busy, [](uv_idle_t*) {});
  while (Retirable* dead = graveyard_.pop_front()) dead->dispose();
  // A cancelled timer leaves a wake-up for nothing, which costs less than looking for the next one
  // at each turn.
  if (armed_for_ == TimePoint::max()) schedule_timer();
  // What wakes the loop next may be none of its own handles (an acceptor, a resolver's socket).
  slept_ = true;
}

void Loop::schedule_timer() {
  const TimePoint wake = wheel_.next_wake();
  if (wake == armed_for_) return;
  armed_for_ = wake;
  if (wake == TimePoint::max()) {
    uv_timer_stop(&handles_->timer);
    return;
  }
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(wake - clock_.now()).count();
  uv_update_time(&handles_->loop);
  uv_timer_start(
      &handles_->timer,
      [](uv_timer_t* handle) { static_cast<Loop*>(handle->loop->data)->on_timer(); },
      wait > 0 ? static_cast<uint64_t>(wait) : 0, 0);
}

}  // namespace weir::net
