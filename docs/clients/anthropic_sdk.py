# Anthropic Python SDK: pip install anthropic
import os

import anthropic

client = anthropic.Anthropic(base_url=os.environ["UNDERSTUDY_URL"], api_key=os.environ["UNDERSTUDY_KEY"])
model = os.environ.get("UNDERSTUDY_MODEL", "policy/demo")
ask = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}

print(client.messages.create(**ask).content[0].text)

with client.messages.stream(**ask) as stream:
    for text in stream.text_stream:
        print(text, end="")
print()
