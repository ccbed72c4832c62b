import unittest

from handler import work
from retry import MAX_SECONDS, Retry


class Handler(unittest.TestCase):
    def test_result_has_the_name_of_the_input(self):
        self.assertEqual(work({"name": "Ada"}), {"greeting": "Hello, Ada"})

    def test_input_without_a_name_fails_the_task(self):
        with self.assertRaises(ValueError):
            work({})

    def test_retry_has_whole_seconds_within_its_limit(self):
        for seconds, expected in [(None, None), (5, 5), (0.5, 1), (-1, 0), (float("inf"), MAX_SECONDS)]:
            self.assertEqual(Retry("not yet", seconds).seconds, expected)


if __name__ == "__main__":
    unittest.main()
