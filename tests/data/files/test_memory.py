"""What is free: of the machine, and of the groups that a container or a job is held in."""

from pathlib import Path

from nncli.data.files.memory import free_memory, physical


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_is_what_the_machine_says(tmp_path: Path) -> None:
    write(tmp_path, {"proc/meminfo": "MemTotal:  9 kB\nMemAvailable:  3000 kB\n"})
    assert free_memory(tmp_path) == 3_072_000
    assert 0 < free_memory() < physical()


def test_a_group_of_version_2_or_one_above_it_may_leave_less(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/meminfo": "MemAvailable:  3000 kB\n",
            "proc/self/cgroup": "0::/jobs/mine\n",
            "sys/fs/cgroup/jobs/mine/memory.max": "max\n",
            "sys/fs/cgroup/jobs/mine/memory.current": "500\n",
            "sys/fs/cgroup/jobs/memory.max": "5000\n",
            "sys/fs/cgroup/jobs/memory.current": "4500\n",
            "sys/fs/cgroup/jobs/memory.stat": "anon 4200\ninactive_file 300\n",
        },
    )
    assert free_memory(tmp_path) == 800


def test_in_a_container_the_group_is_the_mount_itself(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "12:cpu:/\n5:memory:/docker/abc\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "4000\n",
            "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1000\n",
        },
    )
    assert free_memory(tmp_path) == 6000


def test_half_of_all_where_nothing_says(tmp_path: Path) -> None:
    assert free_memory(tmp_path) == physical() // 2
