import unittest

from handler import work


class Handler(unittest.TestCase):
    def test_result_has_the_name_of_the_input(self):
        self.assertEqual(work({"name": "Ada"}), {"greeting": "Hello, Ada"})

    def test_input_without_a_name_fails_the_task(self):
        with self.assertRaises(ValueError):
            work({})


if __name__ == "__main__":
    unittest.main()
