// SPDX-License-Identifier: Apache-2.0
#include "policy/key_table.h"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace weir::policy {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

// A word whose slot is in the hands of the page's lock holder.
constexpr std::uint64_t kBusy = ~std::uint64_t{0};
constexpr std::size_t kBytesPerKey = 72;

// 64 KiB: some 1,500 keys.
constexpr std::size_t kSmallTable = 16;

constexpr std::uint64_t value_of(std::uint64_t word) { return word >> KeyTable::kTagBits; }
constexpr std::uint64_t next_tag(std::uint64_t word) { return (word + 1) & KeyTable::kTagMask; }

}  // namespace

KeyTable::KeyTable(std::uint32_t max_keys, Rules rules) : rules_(rules) {
  static_assert(sizeof(Page) == kPageBytes);
  // The directory takes up to 16 bytes a page: it is reckoned with the pages.
  max_pages_ = std::max<std::size_t>(1, max_keys * kBytesPerKey / (kPageBytes + 16));
  // An entry a page or more: with max_keys keys, 28 to 57 share one, and a page has room for three
  // times as many.
  most_bits_ = static_cast<std::uint32_t>(std::bit_width(max_pages_));
  const std::size_t entries = std::size_t{2} << most_bits_;
  mapped_bytes_ = max_pages_ * kPageBytes + entries * sizeof(directory_[0]);
  void* const memory = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(memory != MAP_FAILED);
  // Zero bytes are empty slots of an unlocked page 0, and a directory of no bits that names it.
  pages_ = static_cast<Page*>(memory);
  directory_ = reinterpret_cast<std::atomic<std::uint32_t>*>(pages_ + max_pages_);
}

KeyTable::~KeyTable() { munmap(pages_, mapped_bytes_); }

std::size_t KeyTable::memory_bytes() const {
  return pages() * kPageBytes + (2 * sizeof(directory_[0]) << bits_.load(kRelaxed));
}

KeyTable::Ref KeyTable::overflow() const {
  auto& word = const_cast<std::atomic<std::uint64_t>&>(overflow_);
  return {word, word.load(kAcquire), true};
}

std::uint32_t KeyTable::start_of(const LimitKey& key) {
  return static_cast<std::uint32_t>((key.lo & UINT32_MAX) * kSlots >> 32);
}

KeyTable::Page& KeyTable::page_of(const LimitKey& key) const {
  const std::uint32_t bits = bits_.load(kAcquire);
  // In two steps, since there may be no bits.
  const std::size_t entry = (std::size_t{1} << bits) + (key.hi >> 1 >> (63 - bits));
  return pages_[directory_[entry].load(kAcquire)];
}

void KeyTable::prefetch(const LimitKey& key) const {
  const Slot& slot = page_of(key).slots[start_of(key)];
  __builtin_prefetch(&slot);
  __builtin_prefetch(reinterpret_cast<const char*>(&slot) + 64);
}

KeyTable::Ref KeyTable::find(const LimitKey& key) const { return scan(page_of(key), key); }

KeyTable::Ref KeyTable::scan(const Page& page, const LimitKey& key) {
  std::uint32_t at = start_of(key);
  // Probing reads two lines as often as one: bench/micro policy_rate, a twelfth less among a
  // million.
  __builtin_prefetch(reinterpret_cast<const char*>(&page.slots[at]) + 64);
  for (std::uint32_t i = 0; i < kSlots; ++i) {
    auto& slot = const_cast<Slot&>(page.slots[at]);
    // The word before the key: if the slot changes hands in between, the tag of this word is out of
    // date and no compare-and-swap of it succeeds.
    const std::uint64_t word = slot.word.load(kAcquire);
    if (value_of(word) == 0) return {};
    if (slot.lo.load(kRelaxed) == key.lo && slot.hi.load(kRelaxed) == key.hi && word != kBusy) {
      return {slot.word, word, false};
    }
    if (++at == kSlots) at = 0;
  }
  return {};
}

// A few dozen instructions are done under the lock, or one page is rebuilt (2 us).
KeyTable::Page& KeyTable::lock_page(const LimitKey& key) {
  for (;;) {
    Page& page = page_of(key);
    for (int spins = 0; page.locked.exchange(1, kAcquire) != 0; ++spins) {
      if (spins >= 100) sched_yield();
    }
    // It may have split while we waited.
    if (&page_of(key) == &page) return page;
    unlock(page);
  }
}

KeyTable::Ref KeyTable::obtain(Page*& page, const LimitKey& key, std::uint64_t now) {
  if (const Ref known = scan(*page, key)) return known;
  const Ref shared = overflow();
  const std::uint64_t value = rules_.fresh(shared.value(), now);
  if (value == 0) return shared;
  Slot* const slot = vacate(page, key, now);
  if (slot == nullptr) return shared;
  const std::uint64_t word = value << kTagBits | slot->word.load(kRelaxed);
  slot->lo.store(key.lo, kRelaxed);
  slot->hi.store(key.hi, kRelaxed);
  slot->word.store(word, kRelease);
  return {slot->word, word, false};
}

// A slot for a new key, with nothing but its tag in it; null if there is none.
KeyTable::Slot* KeyTable::vacate(Page*& page, const LimitKey& key, std::uint64_t now) {
  if (page->used >= kCrowded) make_room(page, key, now);
  std::uint32_t at = start_of(key);
  for (std::uint32_t i = 0; i < kSlots; ++i, at = at + 1 == kSlots ? 0 : at + 1) {
    Slot& slot = page->slots[at];
    std::uint64_t word = slot.word.load(kRelaxed);
    if (value_of(word) == 0) {
      ++page->used;
      keys_.fetch_add(1, kRelaxed);
      return &slot;
    }
    // Anywhere will do: without an empty slot every probe passes all of them.
    if (page->used < kSlots || !rules_.idle(value_of(word), now)) continue;
    const std::uint64_t tag = next_tag(word);
    if (!slot.word.compare_exchange_strong(word, kBusy, std::memory_order_acq_rel)) continue;
    slot.word.store(tag, kRelaxed);
    evicted_.fetch_add(1, kRelaxed);
    return &slot;
  }
  return nullptr;
}

// Idle keys go first, if there are enough of them to pay for the work. A small table grows instead:
// a key that comes again costs ten times as much when it has been forgotten.
void KeyTable::make_room(Page*& page, const LimitKey& key, std::uint64_t now) {
  const bool small = next_page_.load(kRelaxed) < std::min(kSmallTable, max_pages_);
  if (!small && count_idle(*page, now) >= kSlots / 4) return purge(*page, now);
  while (page->used >= kCrowded && split(page, key)) {
  }
}

std::uint32_t KeyTable::count_idle(const Page& page, std::uint64_t now) const {
  std::uint32_t count = 0;
  for (const Slot& slot : page.slots) {
    const std::uint64_t value = value_of(slot.word.load(kRelaxed));
    if (value != 0 && rules_.idle(value, now)) ++count;
  }
  return count;
}

void KeyTable::purge(Page& page, std::uint64_t now) {
  Image all;
  const Tags tags = take_out(page, all);
  Image kept;
  for (std::uint32_t i = 0; i < all.count; ++i) {
    if (!rules_.idle(all.entries[i].value, now)) kept.place(all.entries[i]);
  }
  put_back(page, kept, tags);
  keys_.fetch_sub(all.count - kept.count, kRelaxed);
  evicted_.fetch_add(all.count - kept.count, kRelaxed);
}

// `page` becomes the half that `key` belongs to; that one is locked, the other is not.
bool KeyTable::split(Page*& page, const LimitKey& key) {
  if (page->depth == most_bits_) return false;
  std::uint32_t number = next_page_.load(kRelaxed);
  do {
    if (number == max_pages_) return false;
  } while (!next_page_.compare_exchange_weak(number, number + 1, kRelaxed));
  Page& low = *page;
  Page& high = pages_[number];
  const auto is_high = [&low](const LimitKey& of) { return (of.hi << low.depth >> 63) != 0; };

  Image all;
  const Tags tags = take_out(low, all);
  Image below;
  Image above;
  for (std::uint32_t i = 0; i < all.count; ++i) {
    (is_high(all.entries[i].key) ? above : below).place(all.entries[i]);
  }
  page = is_high(key) ? &high : &low;
  high.locked.store(1, kRelaxed);
  high.depth = ++low.depth;
  low.prefix <<= 1;
  high.prefix = low.prefix | 1;
  // Its keys are found in the new page before they are missing in the old one.
  put_back(high, above, Tags{});
  publish(high, number);
  put_back(low, below, tags);
  unlock(page == &high ? low : high);
  return true;
}

void KeyTable::publish(const Page& page, std::uint32_t number) {
  const std::lock_guard lock(growing_);
  if (page.depth > bits_.load(kRelaxed)) deepen();
  const std::uint32_t bits = bits_.load(kRelaxed);
  const std::uint32_t each = bits - page.depth;
  const std::size_t first = (std::size_t{1} << bits) + (std::size_t{page.prefix} << each);
  for (std::size_t i = 0; i < std::size_t{1} << each; ++i) {
    directory_[first + i].store(number, kRelease);
  }
}

void KeyTable::deepen() {
  const std::uint32_t bits = bits_.load(kRelaxed);
  const std::size_t now = std::size_t{1} << bits;
  for (std::size_t i = 0; i < 2 * now; ++i) {
    directory_[2 * now + i].store(directory_[now + i / 2].load(kRelaxed), kRelaxed);
  }
  bits_.store(bits + 1, kRelease);
}

// All slots are busy after this: nobody changes a word of the page until put_back().
KeyTable::Tags KeyTable::take_out(Page& page, Image& out) {
  Tags tags;
  for (std::uint32_t i = 0; i < kSlots; ++i) {
    Slot& slot = page.slots[i];
    const std::uint64_t word = slot.word.exchange(kBusy, std::memory_order_acq_rel);
    tags[i] = static_cast<std::uint8_t>(next_tag(word));
    if (value_of(word) == 0) continue;
    out.entries[out.count++] = {{slot.lo.load(kRelaxed), slot.hi.load(kRelaxed)}, value_of(word)};
  }
  return tags;
}

void KeyTable::put_back(Page& page, const Image& image, const Tags& tags) {
  for (std::uint32_t i = 0; i < kSlots; ++i) {
    Slot& slot = page.slots[i];
    const Entry& entry = image.entries[i];
    slot.lo.store(entry.key.lo, kRelaxed);
    slot.hi.store(entry.key.hi, kRelaxed);
    slot.word.store(entry.value << kTagBits | tags[i], kRelease);
  }
  page.used = image.count;
}

void KeyTable::Image::place(const Entry& entry) {
  std::uint32_t at = start_of(entry.key);
  while (entries[at].value != 0) at = at + 1 == kSlots ? 0 : at + 1;
  entries[at] = entry;
  ++count;
}

}  // namespace weir::policy
