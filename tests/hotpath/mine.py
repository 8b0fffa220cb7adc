"""mine.py GT LAB: `gt mine` on streams of the laboratory, and `gt bench hotpath` on two of them."""
import json
import subprocess
import sys

GT, LAB = sys.argv[1:]


def lab(*arguments):
	return subprocess.run([LAB, *arguments], check=True, text=True, stdout=subprocess.PIPE).stdout


def mine(stream, *arguments):
	return subprocess.run([GT, "mine", *arguments, "-"], input=stream, text=True,
		stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def check_counts():
	"""100 equal steps at threshold 10."""
	done = mine(lab("stateless", "-n", "100"), "--json")
	assert done.returncode == 0 and not done.stderr, done
	found = json.loads(done.stdout)
	counts = {k: found[k] for k in ("total_batches", "hot_batches_executed", "unique_patterns",
		"hot_paths", "total_instructions")}
	assert counts == {"total_batches": 100, "hot_batches_executed": 90, "unique_patterns": 1,
		"hot_paths": 1, "total_instructions": 600}, counts
	(region,) = found["regions"]
	assert region["ops"] == 6 and region["runs"] == 10 and region["at"] == 60, region
	assert len(region["signature"]) == 12 and found["loops"][0]["signature"] == region["signature"]
	sooner = json.loads(mine(lab("stateless", "-n", "100"), "--json", "--threshold", "5").stdout)
	assert sooner["hot_batches_executed"] == 95, sooner


def check_text():
	done = mine(lab("mlp", "-n", "30"))
	assert done.returncode == 0, done
	for wanted in (":49ops) hot after", "before fresh data", "%0 = upload", "in0", "live-out",
			"freed in the next run behind", "period 49, 30 runs, hot", "% of them"):
		assert wanted in done.stdout, (wanted, done.stdout)
	nothing = mine(lab("random", "-n", "20"))
	assert nothing.returncode == 0 and "hot" not in nothing.stdout, nothing
	assert "2064 ops, 0.0 %" in nothing.stdout, nothing


def check_errors():
	for stream, status, text in (
			("t1 = reluu t2\n", 1, "gt: standard input:1:"),
			("t1 = full float32 1.0 [2]\nt2 = exp t9\n", 1, "standard input:2: exp: input t9"),
			("", 0, "")):
		done = mine(stream)
		assert done.returncode == status and text in done.stderr, done
	for wrong in (["--threshold", "x"], ["--threshold", "0"], ["--jsn"], ["a.gts"]):
		done = mine("", *wrong)
		assert done.returncode == 2 and "usage: gt mine" in done.stderr, done
	done = subprocess.run([GT, "mine", "/nowhere/at.gts"], text=True, stderr=subprocess.PIPE)
	assert done.returncode == 1 and "No such file" in done.stderr, done


def check_bench():
	"""The table has a row a program, and the row says that the loop was found."""
	done = subprocess.run([GT, "bench", "hotpath", "tiny", "stateless"], text=True,
		stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
	assert done.returncode == 0 and not done.stderr, done
	rows = [line.split() for line in done.stdout.splitlines()[2:]]
	assert [row[0] for row in rows] == ["tiny", "stateless"], rows
	for row in rows:
		assert len(row) == 11 and int(row[7]) <= 12, row
		assert float(row[8]) > 98 and float(row[9]) > 98, row
	for arguments, text in ((["hotpat"], "unknown benchmark 'hotpat' (did you mean 'hotpath'?)"),
			(["hotpath", "mpl"], "did you mean 'mlp'?"), ([], "usage: gt bench")):
		done = subprocess.run([GT, "bench", *arguments], text=True, stderr=subprocess.PIPE)
		assert done.returncode == 2 and text in done.stderr, done


check_counts()
check_bench()
check_text()
check_errors()
print("gt mine and gt bench hotpath behave")
