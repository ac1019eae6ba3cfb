"""Python's official client, unmodified, against a running server. One JSON line per check on stdout; the caller judges.

Environment: BASE_URL, API_KEY, and keys that are to be refused: POOR_KEY (402), LIMITED_KEY (429 after one request).
"""

import asyncio
import json
import math
import os
import traceback
from typing import Literal

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel, ConfigDict, Field

BASE_URL = os.environ["BASE_URL"]
MODEL = "millrace-nano"
client = OpenAI(base_url=BASE_URL, api_key=os.environ["API_KEY"], max_retries=0)


def with_key(key: str) -> OpenAI:
    return OpenAI(base_url=BASE_URL, api_key=key, max_retries=0)


def user(content: str) -> list:
    return [{"role": "user", "content": content}]


SUM = user("What is 47 + 38?")


class Weather(BaseModel):
    model_config = ConfigDict(extra="forbid")
    city: str
    unit: Literal["celsius", "fahrenheit"]
    days: int = Field(ge=1, le=7)


class Person(BaseModel):
    name: str
    age: int
    emails: list[str]
    nickname: str | None


TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of the coming days",
        "parameters": Weather.model_json_schema(),
    },
}


def chat():
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=SUM)
    answer = raw.parse()
    message = answer.choices[0].message
    assert "85" in message.content, message.content
    assert "= 85" in message.reasoning_content and "think>" not in message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.cost["currency"] == "CNY" and float(answer.usage.cost["amount"]) > 0
    assert raw.headers["x-millrace-cost"] == f"CNY {answer.usage.cost['amount']}"
    return {"request_id": raw.headers["x-request-id"], "amount": answer.usage.cost["amount"]}


def chat_in_chinese():
    answer = client.chat.completions.create(model=MODEL, messages=user("法国的首都是哪里？"))
    assert "巴黎" in answer.choices[0].message.content


def thinking_off():
    answer = client.chat.completions.create(model=MODEL, messages=SUM, extra_body={"enable_thinking": False})
    assert answer.choices[0].message.content and not hasattr(answer.choices[0].message, "reasoning_content")
    assert answer.usage.completion_tokens_details.reasoning_tokens == 0


def stream_with_usage():
    content, usages = "", []
    stream = client.chat.completions.create(
        model=MODEL, messages=SUM, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        if chunk.usage:
            assert chunk.choices == []
            usages.append(chunk.usage)
        elif chunk.choices[0].delta.content:
            content += chunk.choices[0].delta.content
    assert "85" in content and "think>" not in content
    assert len(usages) == 1 and float(usages[0].cost["amount"]) > 0


def stream_without_usage():
    for chunk in client.chat.completions.create(model=MODEL, messages=SUM, stream=True):
        assert not chunk.usage and len(chunk.choices) == 1


def tools():
    asked = user("How is the weather in Paris?")
    for choice in ("required", {"type": "function", "function": {"name": "get_weather"}}):
        answer = client.chat.completions.create(model=MODEL, messages=asked, tools=[TOOL], tool_choice=choice)
        assert answer.choices[0].finish_reason == "tool_calls"
        call = answer.choices[0].message.tool_calls[0]
        assert call.type == "function" and call.function.name == "get_weather"
        Weather.model_validate_json(call.function.arguments)
        result = {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'}
        following = asked + [answer.choices[0].message, result]
        answer = client.chat.completions.create(model=MODEL, messages=following, tools=[TOOL], tool_choice="none")
        assert answer.choices[0].message.content and answer.choices[0].finish_reason == "stop"
    # Left to itself it did not learn to choose: it answers in text, and a header says so.
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=SUM, tools=[TOOL])
    assert raw.parse().choices[0].message.content and "not offered" in raw.headers["x-millrace-tools"]


def tools_streamed():
    with client.chat.completions.stream(model=MODEL, messages=SUM, tools=[TOOL], tool_choice="required") as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    Weather.model_validate_json(final.choices[0].message.tool_calls[0].function.arguments)


def json_schema():
    answer = client.chat.completions.parse(model=MODEL, messages=user("Tell me about Ida."), response_format=Person)
    assert isinstance(answer.choices[0].message.parsed, Person)
    with client.chat.completions.stream(
        model=MODEL, messages=user("Tell me about Ida."), response_format=Person
    ) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Person)


def embeddings():
    asked = {"model": MODEL, "input": ["water", "wheel", "水车"]}
    packed = client.embeddings.create(**asked)
    plain = client.embeddings.create(**asked, encoding_format="float")
    assert [one.index for one in packed.data] == [0, 1, 2]
    for one, other in zip(packed.data, plain.data):
        assert len(one.embedding) == len(other.embedding) == 192
        assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(one.embedding, other.embedding))


def completions_and_models():
    answer = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=12)
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 12
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL


def closed_in_mid_stream():
    """Sixteen answers without an end keep every sequence of the engine busy; the next request is served all the same."""
    stream = client.chat.completions.create(
        model=MODEL, messages=SUM, stream=True, n=16, max_tokens=384, temperature=1, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    stream.close()
    assert "85" in client.chat.completions.create(model=MODEL, messages=SUM).choices[0].message.content
    return {"request_id": stream.response.headers["x-request-id"]}


def refusals():
    with_key(os.environ["LIMITED_KEY"]).chat.completions.create(model=MODEL, messages=SUM)
    cases = [
        (lambda: client.chat.completions.create(model=MODEL, messages=[]), openai.BadRequestError, 400),
        (lambda: with_key("wrong").chat.completions.create(model=MODEL, messages=SUM), openai.AuthenticationError, 401),
        (lambda: with_key(os.environ["POOR_KEY"]).models.list(), None, 200),
        (
            lambda: with_key(os.environ["POOR_KEY"]).chat.completions.create(model=MODEL, messages=SUM),
            openai.APIStatusError,
            402,
        ),
        (lambda: client.chat.completions.create(model="nothing", messages=SUM), openai.NotFoundError, 404),
        (
            lambda: with_key(os.environ["LIMITED_KEY"]).chat.completions.create(model=MODEL, messages=SUM),
            openai.RateLimitError,
            429,
        ),
    ]
    for ask, kind, status in cases:
        try:
            ask()
        except openai.APIStatusError as error:
            assert kind is not None and isinstance(error, kind), (kind, error)
            assert error.status_code == status, (status, error)
            assert error.code and error.type and error.request_id, error.body
        else:
            assert kind is None, kind


def eight_at_once():
    async def ask(asynchronous: AsyncOpenAI, number: int):
        stream = await asynchronous.chat.completions.create(
            model=MODEL,
            messages=user(f"What is {number} + 38?"),
            stream=number % 2 == 0,
            stream_options={"include_usage": True} if number % 2 == 0 else openai.omit,
        )
        if number % 2:
            return stream.choices[0].message.content
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def all_of_them():
        async with AsyncOpenAI(base_url=BASE_URL, api_key=os.environ["API_KEY"], max_retries=0) as asynchronous:
            return await asyncio.gather(*(ask(asynchronous, number) for number in range(40, 48)))

    answers = asyncio.run(all_of_them())
    right = [str(number + 38) in answer for number, answer in zip(range(40, 48), answers)]
    # The model errs with two in a hundred sums; that every question got its own answer is what is asked here.
    assert sum(right) >= 6, answers


CHECKS = [
    chat,
    chat_in_chinese,
    thinking_off,
    stream_with_usage,
    stream_without_usage,
    tools,
    tools_streamed,
    json_schema,
    embeddings,
    completions_and_models,
    closed_in_mid_stream,
    refusals,
    eight_at_once,
]

for check in CHECKS:
    try:
        facts, error = check(), None
    except Exception:
        facts, error = None, traceback.format_exc()
    print(json.dumps({"check": check.__name__, "facts": facts or {}, "error": error}), flush=True)
