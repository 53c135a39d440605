import type { Metadata } from "next";
import { People } from "@/components/people/people";

export const metadata: Metadata = { title: "People" };

export default People;
