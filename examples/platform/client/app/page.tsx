"use client";

import { useRouter } from "next/navigation";
import { useEffect } from "react";
import { Loading } from "@/components/ui/states";

/** The people are the first page. */
export default function Home() {
  const router = useRouter();
  useEffect(() => router.replace("/people/"), [router]);
  return <Loading />;
}
