"""The tutorial's design: a FastAPI application that checks a JWT, looks its user up, keeps the request (one commit),
predicts with XGBoost over a pandas frame, keeps the response (one commit), and answers.

Written like such tutorials: a session for each request, ORM objects, synchronous handlers in FastAPI's threads. One
thing is better than in most of them: the caller is looked up in the handler, not in a dependency, and the pool
has a connection for each of FastAPI's forty threads. Otherwise it deadlocks at 64 connections.
"""

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

import bcrypt
import jwt
import pandas as pd
import xgboost as xgb
from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

SECRET = os.environ["JWT_SECRET"]
THRESHOLD = 0.5

engine = create_engine(os.environ["DATABASE_URL"], pool_size=20, max_overflow=20)
new_session = sessionmaker(engine)
model = xgb.Booster(model_file=Path(__file__).with_name("heart-failure.json"))
app = FastAPI()


class Base(DeclarativeBase):
    created_datetime: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_datetime: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    email: Mapped[str]
    enabled: Mapped[bool] = mapped_column(default=True)


class Request(Base):
    __tablename__ = "requests"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    input: Mapped[dict] = mapped_column(JSONB)


class Response(Base):
    __tablename__ = "responses"
    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("requests.id"))
    output: Mapped[dict] = mapped_column(JSONB)


class Credentials(BaseModel):
    username: str
    password: str
    email: str = ""


def current_user(authorization: str, session: Session) -> User:
    try:
        claims = jwt.decode(authorization.removeprefix("Bearer "), SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Unauthorized") from None
    user = session.get(User, int(claims["sub"]))
    if user is None or not user.enabled:
        raise HTTPException(401, "Unauthorized")
    return user


@app.post("/register-user", status_code=201)
def register_user(credentials: Credentials):
    password = bcrypt.hashpw(credentials.password.encode(), bcrypt.gensalt()).decode()
    with new_session() as session:
        user = User(username=credentials.username, password=password, email=credentials.email)
        session.add(user)
        session.commit()
        return {"message": "User created successfully", "user_id": user.id}


@app.post("/token")
def token(credentials: Credentials):
    with new_session() as session:
        user = session.scalar(select(User).where(User.username == credentials.username))
    if user is None or not bcrypt.checkpw(credentials.password.encode(), user.password.encode()):
        return JSONResponse({"message": "Invalid credentials"}, 401)
    expires = datetime.now(timezone.utc) + timedelta(hours=10)
    return {"token": jwt.encode({"sub": str(user.id), "exp": expires}, SECRET, algorithm="HS256")}


@app.post("/predict")
def predict(features: dict[str, Any], authorization: Annotated[str, Header()] = ""):
    with new_session() as session:
        user = current_user(authorization, session)
        request = Request(user_id=user.id, input=features)
        session.add(request)
        session.commit()
        try:
            row = [float(features[name]) for name in model.feature_names]
        except (KeyError, TypeError, ValueError):
            return JSONResponse({"message": "Bad request"}, 400)
        frame = pd.DataFrame([row], columns=model.feature_names)
        probability = model.predict(xgb.DMatrix(frame))[0]
        output = {"yhat_prob": str(probability), "yhat": str(int(probability > THRESHOLD))}
        session.add(Response(request_id=request.id, output=output))
        session.commit()
        return output


if __name__ == "__main__":
    Base.metadata.create_all(engine)
