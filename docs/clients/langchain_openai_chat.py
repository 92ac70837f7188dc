# LangChain Python: pip install langchain-openai
import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model="policy/demo",
    base_url=os.environ["UNDERSTUDY_URL"] + "/v1",
    api_key=os.environ["UNDERSTUDY_KEY"],
    max_retries=0,  # Understudy retries.
)

print(model.invoke("Hello").content)
for piece in model.stream("Hello"):
    print(piece.content, end="")
print()
