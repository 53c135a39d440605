import type { Metadata } from "next";
import { PersonPage } from "@/components/people/person-page";

export const metadata: Metadata = { title: "Person" };

export default PersonPage;
