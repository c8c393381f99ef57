# SPDX-License-Identifier: Apache-2.0
"""What /proc says about a process tree: who is in it, and how much memory it holds."""


def process_tree(pid):
    found = [pid]
    for parent in found:
        try:
            with open("/proc/%d/task/%d/children" % (parent, parent)) as f:
                found += [int(child) for child in f.read().split()]
        except OSError:
            pass
    return found


def memory(pids):
    """Bytes, summed over the tree. PSS counts a page shared by n processes 1/n times."""
    total = {"rss": 0, "pss": 0}
    for pid in pids:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            for line in f:
                name, _, value = line.partition(":")
                if name.lower() in total:
                    total[name.lower()] += int(value.split()[0]) * 1024
    return total
