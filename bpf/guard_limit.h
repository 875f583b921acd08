/* Limits by source prefix: token buckets in the form of one time each (GCRA, ITU-T I.371). A bucket never gives more than its
 * burst and what its rate adds, whatever CPUs do at once, with two exceptions that cost accuracy and no lock: a bucket thrown
 * out of a full line forgets what was borrowed (the one that has borrowed least goes first), and when two CPUs want the same
 * empty place at once one of the two packets passes uncounted. */
#pragma once

#include "bpf/guard_hash.h"
#include "bpf/hooks.h"

/* Whether the source has sent enough lately for its bucket to be charged. At most GH_SKETCH_SHARE-th of what the limit allows passes
 * without. Sources that share a place are counted together: some are charged earlier than they must be. */
GH_INLINE int gh_is_busy(struct gh_tables *tables, const struct gh_policy *policy, __u64 prefix, __u64 ticks) {
  const __u32 window = (__u32)(ticks >> policy->window_shift) * GH_SKETCH_WINDOW & 0xffff;
  const __u32 index = (__u32)(prefix * policy->sketch_key >> (64 - GH_SKETCH_BITS));
  struct gh_sketch_line *line;
  __u16 *place;
  __u32 count;
  line = gh_get_sketch_line(tables, index >> 5);
  if (!line) return 1;
  place = &line->count[index & 31];
  count = *place ^ window;
  if (count > GH_SKETCH_MOST) count = 0;
  if (count >= policy->free_packets) return 1;
  *place = (__u16)(window | (count + 1));
  return 0;
}

/* A time that lies so far ahead was not borrowed: the clock has come round since the bucket was used. The room beyond the burst is
 * for CPUs that borrow at the same moment. */
static inline int gh_is_stale(__s64 ahead, const struct gh_rate *rate) {
  return ahead > (__s64)(rate->burst + 256 * rate->cost);
}

/* Charges a bucket that was found. Non-zero: it has nothing left, and nothing was taken. */
static inline int gh_charge_bucket(__u64 *way, __u64 word, __u64 now, const struct gh_rate *rate) {
  const __u64 tag = word & GH_BUCKET_TAG;
  __s64 ahead = (__s64)(word - tag - now);
  if (ahead <= 0 || gh_is_stale(ahead, rate)) {
    if (__sync_val_compare_and_swap(way, word, (now + rate->cost) | tag) == word) return 0;
    /* Another CPU was faster: the bucket is in use now. */
  } else if (ahead + (__s64)rate->cost > (__s64)rate->burst) {
    return 1;
  }
  word = __sync_fetch_and_add(way, rate->cost);
  if ((word & GH_BUCKET_TAG) != tag) return 0; /* thrown out this moment */
  ahead = (__s64)(word - tag - now);
  return ahead + (__s64)rate->cost > (__s64)rate->burst && !gh_is_stale(ahead, rate);
}

/* Charges a packet to the bucket of `hash`, which names a source and a limit. Non-zero: too many. */
static inline __u32 gh_charge(struct gh_tables *tables, const struct gh_guard *guard, __u64 hash, const struct gh_rate *rate,
                              __u64 now) {
  const __u64 tag = (hash & GH_BUCKET_TAG) | !(hash & GH_BUCKET_TAG);
  struct gh_bucket_line *line = gh_get_bucket_line(tables, (__u32)(hash >> 32) & guard->bucket_mask);
  __u64 *spare;
  __u64 spare_word = 0;
  __s64 least = 0;
  int i;
  if (!line) return 0;
  spare = &line->way[0];
  for (i = 0; i < GH_BUCKET_WAYS; ++i) {
    const __u64 word = *(volatile __u64 *)&line->way[i];
    const __s64 ahead = (__s64)((word & ~GH_BUCKET_TAG) - now);
    if ((word & GH_BUCKET_TAG) == tag) return gh_charge_bucket(&line->way[i], word, now, rate);
    if (i != 0 && word != 0 && ahead >= least) continue;
    least = word ? ahead : -(1LL << 62);
    spare = &line->way[i];
    spare_word = word;
  }
  __sync_val_compare_and_swap(spare, spare_word, (now + rate->cost) | tag);
  return 0;
}
