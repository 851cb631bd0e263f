/** The API's own types, under short names; they are made from its OpenAPI document. */

import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];

export type Item = Schemas["Item"];
export type RankedItem = Schemas["RankedItem"];
export type RankedItems = Schemas["RankedItems"];
export type RecommendationRequest = Schemas["RecommendationRequest"];
export type Recommendations = Schemas["Recommendations"];
export type ListsRequest = Schemas["ListsRequest"];
export type Lists = Schemas["Lists"];
export type ShopEvent = Schemas["EventIn"];
export type EventOutcome = Schemas["EventOutcome"];
export type ItemPage = Schemas["ItemPage"];
export type CategoryPage = Schemas["CategoryPage"];
export type ItemPut = Schemas["ItemPut"];
export type ItemPatch = Schemas["ItemPatch"];
export type ItemChange = Schemas["ItemChanges"]["changes"][number];
export type ItemChangesDone = Schemas["ItemChangesDone"];
export type UserPage = Schemas["UserPage"];
export type History = Schemas["History"];
export type RecentlyViewed = Schemas["RecentlyViewed"];
export type Problem = Schemas["Problem"];

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** The operation of a path and a method, as the document has it. */
export type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;

/** The query parameters of an operation. */
export type QueryOf<P extends keyof paths, M extends Method = "get"> =
  Operation<P, M> extends { parameters: { query?: infer Q } } ? NonNullable<Q> : never;

/** What an operation answers when all is well. */
export type AnswerOf<O> = O extends { responses: { 200: { content: { "application/json": infer A } } } }
  ? A
  : O extends { responses: { 202: { content: { "application/json": infer A } } } }
    ? A
    : never;

/** What a request of an operation may hold: the ids of its path, its query, its body. */
export type RequestOf<O> = (O extends { parameters: { path: infer Ids } } ? { path: Ids } : unknown) &
  (O extends { parameters: { query?: infer Q } } ? { query?: Q } : unknown) &
  (O extends { requestBody: { content: { "application/json": infer B } } } ? { body: B } : unknown);
