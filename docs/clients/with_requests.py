# requests: pip install requests
import os

import requests

response = requests.post(
    os.environ["UNDERSTUDY_URL"] + "/v1/chat/completions",
    headers={"authorization": "Bearer " + os.environ["UNDERSTUDY_KEY"]},
    json={"model": "policy/demo", "messages": [{"role": "user", "content": "Hello"}]},
    timeout=120,
)
response.raise_for_status()
print(response.json()["choices"][0]["message"]["content"], "| answered by", response.headers["x-understudy-model"])
