# requests: pip install requests
import os

import requests

url = os.environ["UNDERSTUDY_URL"] + "/v1/chat/completions"
headers = {"authorization": "Bearer " + os.environ["UNDERSTUDY_KEY"]}
ask = {"model": os.environ.get("UNDERSTUDY_MODEL", "policy/demo"), "messages": [{"role": "user", "content": "Hello"}]}

response = requests.post(url, headers=headers, json=ask, timeout=120)
response.raise_for_status()
print(response.json()["choices"][0]["message"]["content"], "| answered by", response.headers["x-understudy-model"])

with requests.post(url, headers=headers, json={**ask, "stream": True}, timeout=120, stream=True) as response:
    response.raise_for_status()
    for line in response.iter_lines(decode_unicode=True):
        print(line)
